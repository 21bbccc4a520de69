#!/usr/bin/env python3
"""Writes metrics with fastavro, a writer that is not Bongsu's own, into schemas/golden/avro.

    python3 -m venv /tmp/avro && /tmp/avro/bin/pip install fastavro==1.13.1
    /tmp/avro/bin/python schemas/golden/record/avro.py
"""
import io, json, pathlib
import fastavro

ROOT = pathlib.Path(__file__).resolve().parents[2]
METRICS = [
    {"name": "cpu", "tags": {"host": "web-1", "cpu": "cpu total"},
     "fields": {"usage_idle": 91.5, "cores": 8, "throttled": False, "governor": 'power "save"'},
     "timestamp": 1700000000000000001},
    {"name": "봉수", "tags": {"instance": "db-1:9100"}, "fields": {"v": -1e300}, "timestamp": None},
    {"name": "mem", "tags": {}, "fields": {"free": 9223372036854775807}, "timestamp": -1},
]


def single(name, datum):
    avsc = json.loads((ROOT / f"avro/{name}.avsc").read_text())
    print(name, fastavro.schema.fingerprint(fastavro.schema.to_parsing_canonical_form(avsc), "CRC-64-AVRO"))
    fingerprint = fastavro.schema.fingerprint(fastavro.schema.to_parsing_canonical_form(avsc), "CRC-64-AVRO")
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(avsc), datum)
    return b"\xc3\x01" + bytes.fromhex(fingerprint) + out.getvalue()


(ROOT / "golden/avro/metrics.avro").write_bytes(single("metrics-v1", {"metrics": METRICS}))
(ROOT / "golden/avro/metric.avro").write_bytes(b"".join(single("metric-v1", metric) for metric in METRICS))
schema = fastavro.parse_schema(json.loads((ROOT / "avro/metric-v1.avsc").read_text()))
for codec in ("null", "deflate"):
    with open(ROOT / f"golden/avro/{codec}.ocf", "wb") as out:
        fastavro.writer(out, schema, METRICS, codec=codec, sync_marker=bytes(range(16)))
