"""Cuts what Telegraf wrote into one file an input, for record-samples.

Arguments: file, folder, then PORT=NAME pairs: a port of this run and the one that stands for it.
"""

import re
import sys
from collections import defaultdict
from pathlib import Path

# Measurements of one input under its name; others are inputs themselves.
INPUT_OF = [
    (r"internal_", "internal"),
    (r"tomcat_", "tomcat"),
    (r"java_", "jolokia2_agent"),
    (r"docker", "docker"),
    (r"kubernetes_", "kube_inventory"),
    (r"redis", "redis"),
    (r"procstat", "procstat"),
]
# What differs from container to container and proves nothing.
DROPPED = r"docker_container_(blkio|net|mem|cpu)|redis_cmdstat|redis_keyspace|internal_(gather|write|memstats|serializer)"


def main():
    lines = Path(sys.argv[1]).read_text().splitlines()
    ports = dict(pair.split("=") for pair in sys.argv[3:])
    files = defaultdict(list)
    for line in lines:
        measurement = re.split(r"[, ]", line, maxsplit=1)[0]
        if re.match(DROPPED, measurement):
            continue
        # Paths of the run's own folder, ports and tags that this machine alone has.
        line = re.sub(r"/tmp/tmp\.[A-Za-z0-9]+", "/var/log/app", line)
        line = re.sub(r"/[^ ,\"]*/debian-samples(?=/)", "", line)
        for port, name in ports.items():
            line = re.sub(rf"(?<=[:=]){port}(?![0-9])", name, line)
        name = next((name for pattern, name in INPUT_OF if re.match(pattern, measurement)), measurement)
        files[name].append((int(line.rsplit(" ", 1)[1]), line))
    folder = Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    for name, timed in files.items():
        timed.sort(key=lambda pair: pair[0])
        text = "".join(line + "\n" for _, line in timed)
        (folder / f"{name}.influx").write_text(text)
        print(f"{len(timed):5} lines  {folder.name}/{name}.influx")


main()
