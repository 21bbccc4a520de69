#!/usr/bin/env python3
"""Records what the OpenTelemetry SDK for Python sends as OTLP/HTTP (protobuf, gzip) into schemas/golden/otlp.

    python3 -m venv /tmp/otel && /tmp/otel/bin/pip install opentelemetry-sdk==1.45.2 \
        opentelemetry-exporter-otlp-proto-http==1.45.2
    /tmp/otel/bin/python schemas/golden/record/otlp.py [URL TOKEN]

With a URL and a token it sends the same there as well, and prints the answer.
"""
import http.server, pathlib, sys, threading

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.metrics import Observation
from opentelemetry.sdk.metrics import Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource

OUT = pathlib.Path(__file__).resolve().parents[1] / "otlp"


class Sink(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        print(self.path, self.headers["content-type"], self.headers["content-encoding"], len(body))
        (OUT / "python.pb.gz").write_bytes(body)
        self.send_response(200)
        self.send_header("content-type", "application/x-protobuf")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


if len(sys.argv) == 3:
    url, headers = sys.argv[1], {"authorization": f"Bearer {sys.argv[2]}"}
else:
    sink = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    threading.Thread(target=sink.serve_forever, daemon=True).start()
    url, headers = f"http://127.0.0.1:{sink.server_port}/v1/metrics", {}
exporter = OTLPMetricExporter(endpoint=url, headers=headers, compression=Compression.Gzip)
reader = PeriodicExportingMetricReader(exporter, export_interval_millis=3_600_000)
resource = Resource.create(
    {"service.name": "shop", "host.name": "web-1", "process.command_args": ["a", "b c"], "host.cpus": 4}
)
exponential = View(
    instrument_name="http.exponential", aggregation=ExponentialBucketHistogramAggregation()
)
provider = MeterProvider([reader], resource, views=[exponential])
meter = provider.get_meter("shop.orders", "1.2.0")
meter.create_counter("orders", unit="1").add(3, {"region": "Seoul, 1", "paid": True})
meter.create_up_down_counter("queue.length").add(-2)
meter.create_observable_gauge("cpu.usage", [lambda _: [Observation(12.5, {"cpu": 0})]])
duration = meter.create_histogram("http.duration", unit="ms", explicit_bucket_boundaries_advisory=[5, 50, 500])
spread = meter.create_histogram("http.exponential")
for value in (1, 7, 70, 700.5):
    duration.record(value, {"route": "/"})
    spread.record(value)
provider.force_flush()
provider.shutdown()
