#!/usr/bin/env python3
"""Records what a real Prometheus sends by remote write 1.0 and 2.0 into schemas/golden/remote_write.

    tests/real/install prometheus
    schemas/golden/record/prometheus.py

It scrapes itself; of each version the first request with the series `up` is kept, packed as it came.
"""
import http.server, os, pathlib, socket, subprocess, sys, tempfile, threading

ROOT = pathlib.Path(__file__).resolve().parents[3]
OUT = ROOT / "schemas/golden/remote_write"
VERSION = next(
    line.split("=")[1].strip()
    for line in (ROOT / "tests/real/versions").read_text().splitlines()
    if line.startswith("PROMETHEUS=")
)
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "bongsu"
found, both = {}, threading.Event()


class Sink(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        kind = "v2" if "v2.Request" in self.headers["content-type"] else "v1"
        # Snappy leaves short literals as they are.
        if kind not in found and b"up" in body and len(body) > 5000:
            found[kind] = body
            print(kind, len(body), self.headers["content-type"], self.headers["content-encoding"])
        self.send_response(204)
        self.end_headers()
        if len(found) == 2:
            both.set()

    def log_message(self, *_):
        pass


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


sink = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Sink)
threading.Thread(target=sink.serve_forever, daemon=True).start()
url, port = f"http://127.0.0.1:{sink.server_port}/api/v1/write", free_port()
with tempfile.TemporaryDirectory() as folder:
    config = pathlib.Path(folder) / "prometheus.yml"
    config.write_text(
        f"""
global: {{scrape_interval: 2s}}
scrape_configs:
  - job_name: prometheus
    static_configs: [{{targets: ['localhost:{port}'], labels: {{site: 'Seoul, 1'}}}}]
remote_write:
  - url: {url}
    queue_config: {{max_shards: 1, min_shards: 1}}
  - url: {url}?2
    protobuf_message: io.prometheus.write.v2.Request
    queue_config: {{max_shards: 1, min_shards: 1}}
"""
    )
    program = CACHE / f"prometheus-{VERSION}/prometheus"
    prometheus = subprocess.Popen(
        [program, f"--config.file={config}", f"--storage.tsdb.path={folder}/data",
         f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"])
    try:
        if not both.wait(60):
            sys.exit(f"within 60 s only {sorted(found)} came")
    finally:
        prometheus.terminate()
        prometheus.wait()
for kind, body in found.items():
    (OUT / f"{kind}.snappy").write_bytes(body)
