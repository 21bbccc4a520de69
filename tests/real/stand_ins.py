"""Answers as Tomcat's manager, Jolokia, Docker's engine and Kubernetes document it, for record-samples.

Arguments: port, TLS port, certificate, key.
"""

import json
import re
import ssl
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

STARTED = time.time()

# Apache Tomcat 10, "Manager App How-To", server status as XML.
TOMCAT = """<?xml version="1.0" encoding="UTF-8"?>
<status><jvm><memory free='17909336' total='58195968' max='620756992'/>
<memorypool name='G1 Old Gen' type='Heap memory' usageInit='21495808' usageCommitted='21495808'
 usageMax='465567744' usageUsed='13663040'/></jvm>
<connector name='"http-nio-8080"'>
<threadInfo maxThreads="200" currentThreadCount="25" currentThreadsBusy="12"/>
<requestInfo maxTime="68" processingTime="88" requestCount="2" errorCount="1" bytesReceived="0" bytesSent="9286"/>
<workers></workers></connector></status>"""

# Jolokia reference manual, "Reading attributes", bulk requests.
MEMORY = {
    "HeapMemoryUsage": {"init": 268435456, "committed": 536870912, "max": 1073741824, "used": 402653184},
    "NonHeapMemoryUsage": {"init": 7667712, "committed": 62521344, "max": -1, "used": 58720256},
}


def jolokia(requests):
    answer = []
    for request in requests:
        wanted = request.get("attribute")
        names = wanted if isinstance(wanted, list) else [wanted]
        value = {name: MEMORY[name] for name in names if name in MEMORY}
        if not isinstance(wanted, list):
            value = value.get(wanted)
        answer.append({"request": request, "value": value, "status": 200, "timestamp": int(time.time())})
    return answer


CONTAINER = "f" * 64


def docker(path):
    """Docker Engine API v1.43: /info, /containers/json, /containers/ID/json and /stats."""
    path = re.sub(r"^/v[0-9.]+", "", path)
    if path.startswith("/info"):
        return {"Name": "web-1", "ServerVersion": "24.0.7", "Containers": 1, "ContainersRunning": 1, "NCPU": 4,
                "MemTotal": 8 << 30, "Images": 3, "DriverStatus": [], "OSType": "linux"}
    if path.startswith("/containers/json"):
        return [{"Id": CONTAINER, "Names": ["/shop"], "Image": "shop:1.4", "State": "running", "Labels": {},
                 "Created": int(STARTED), "Status": "Up 2 minutes"}]
    if path.endswith("/json"):
        return {"Id": CONTAINER, "Name": "/shop", "RestartCount": 1, "Config": {"Env": [], "Tty": False},
                "State": {"Status": "running", "Running": True, "OOMKilled": True, "Pid": 4711, "ExitCode": 0,
                          "StartedAt": "2026-01-01T00:00:00Z", "FinishedAt": "0001-01-01T00:00:00Z"}}
    return {"read": "2026-01-01T00:00:00Z", "cpu_stats": {"cpu_usage": {"total_usage": 1, "percpu_usage": [1]},
            "online_cpus": 1, "system_cpu_usage": 100}, "precpu_stats": {"cpu_usage": {}}, "memory_stats": {
            "usage": 1 << 20, "limit": 1 << 30, "stats": {}}, "networks": {}}


def kubernetes():
    """Kubernetes API v1: a PodList."""
    pod = {
        "metadata": {"name": "shop-6d4cf56db6-abcde", "namespace": "default", "uid": "1", "labels": {},
                     "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"nodeName": "node-1", "containers": [{"name": "shop", "image": "shop:1.4", "resources": {
            "limits": {"memory": "512Mi"}, "requests": {"memory": "256Mi"}}}]},
        "status": {"phase": "Running", "containerStatuses": [{
            "name": "shop", "ready": True, "restartCount": 3, "image": "shop:1.4", "imageID": "", "state": {
                "running": {"startedAt": "2026-01-01T00:00:00Z"}}}]},
    }
    return {"kind": "PodList", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": [pod]}


class Handler(BaseHTTPRequestHandler):
    def answer(self, status, body, kind="application/json"):
        body = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        # Docker's client asks for the version of the API.
        self.send_header("Api-Version", "1.43")
        self.send_header("Ostype", "linux")
        self.end_headers()
        self.wfile.write(body)

    def do_HEAD(self):
        self.answer(200, "")

    def do_GET(self):
        path = self.path
        if path.startswith("/health"):
            self.answer(200, "fine", "text/plain")
        elif path.startswith("/broken"):
            self.answer(503, "no", "text/plain")
        elif path.startswith("/_ping"):
            self.answer(200, "OK", "text/plain")
        elif path.startswith("/manager/status"):
            self.answer(200, TOMCAT, "text/xml")
        elif path.startswith("/api/v1/"):
            self.answer(200, kubernetes())
        else:
            self.answer(200, docker(path))

    def do_POST(self):
        length = int(self.headers.get("Content-Length", 0))
        self.answer(200, jolokia(json.loads(self.rfile.read(length))))

    def log_message(self, *args):
        pass


def main():
    port, tls_port, certificate, key = sys.argv[1:]
    secure = ThreadingHTTPServer(("127.0.0.1", int(tls_port)), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    secure.socket = context.wrap_socket(secure.socket, server_side=True)
    threading.Thread(target=secure.serve_forever, daemon=True).start()
    ThreadingHTTPServer(("127.0.0.1", int(port)), Handler).serve_forever()


main()
