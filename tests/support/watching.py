"""What watches a run: a cluster with its dashboard and metrics port, and a collector of traces."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.faults import wait_for
from tests.support.nodes import ENV, Node, free_port, joined

_TRIES = 3
_AS_IN_IMAGES = {"RAY_metric_cardinality_level": "low"}
_SERIES = re.compile(r"^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? \S+$")
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')

# A collector in a process of its own: takes OTLP over HTTP and writes each span as a line.
_COLLECTOR = """
import json, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

def plain(value):
    return getattr(value, value.WhichOneof("value"))

class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        assert self.path == "/v1/traces" and self.headers["Content-Encoding"] in (None, "identity")
        with open(sys.argv[1], "a") as out:
            for part in ExportTraceServiceRequest.FromString(body).resource_spans:
                resource = {a.key: plain(a.value) for a in part.resource.attributes}
                for span in (span for scope in part.scope_spans for span in scope.spans):
                    line = {
                        "trace": span.trace_id.hex(), "span": span.span_id.hex(),
                        "parent": span.parent_span_id.hex(), "name": span.name,
                        "start_s": span.start_time_unix_nano / 1e9,
                        "end_s": span.end_time_unix_nano / 1e9,
                        "failed": span.status.code == 2, "service": resource["service.name"],
                        **{a.key: plain(a.value) for a in span.attributes},
                    }
                    out.write(json.dumps(line) + "\\n")
        self.send_response(200)
        self.end_headers()

    def log_message(self, *told):
        pass

server = HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""


@dataclass
class Collector:
    """A collector of traces on loopback."""

    url: str
    path: Path

    def spans(self) -> list[dict[str, Any]]:
        """Every span that came in."""
        if not self.path.exists():
            return []
        return [json.loads(line) for line in self.path.read_text("utf-8").splitlines()]


@contextmanager
def collector(folder: Path) -> Iterator[Collector]:
    """A collector that ends with the block."""
    path = folder / "spans.jsonl"
    process = subprocess.Popen(
        [sys.executable, "-c", _COLLECTOR, str(path)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield Collector(f"http://127.0.0.1:{int(process.stdout.readline())}", path)
    finally:
        process.kill()
        process.communicate()


@dataclass
class Head:
    """A Ray head with all that one watches it by."""

    address: str
    dashboard: str
    metrics: str
    logs: Path

    def ask(self, path: str) -> Any:
        """An answer of the dashboard."""
        return json.loads(_get(f"{self.dashboard}/{path}"))

    def rows(self, kind: str) -> list[dict[str, Any]]:
        """`actors` or `tasks` as the dashboard's state API lists them."""
        found = self.ask(f"api/v0/{kind}?limit=1000&detail=1")
        rows: list[dict[str, Any]] = found["data"]["result"]["result"]
        return rows

    def lines(self) -> list[str]:
        """What all workers have said on standard error."""
        files = sorted(self.logs.glob("worker-*.err"))
        return [line for file in files for line in file.read_text("utf-8").splitlines()]


Labels = Mapping[str, str]


@dataclass
class Scrapes:
    """What a metrics port has shown so far: every series by its name."""

    url: str
    series: dict[str, set[frozenset[tuple[str, str]]]] = field(
        default_factory=lambda: defaultdict(set)
    )

    def look(self) -> "Scrapes":
        """Read the port once more, after a moment."""
        time.sleep(0.5)
        for line in _get(self.url).splitlines():
            if found := _SERIES.match(line):
                self.series[found[1]].add(frozenset(_LABEL.findall(found[2] or "")))
        return self

    def labels(self, name: str) -> list[Labels]:
        """The label sets of a metric, without those that Ray puts on all of them."""
        return [
            {key: value for key, value in labels if key.islower() and not key.startswith("otel_")}
            for labels in self.series[name]
        ]


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return str(answer.read().decode())


@contextmanager
def watched_head(env: Mapping[str, str]) -> Iterator[Head]:
    """A head with six CPUs and a GPU that nobody has; all its processes end with the block."""
    folder = Path(tempfile.mkdtemp(prefix="mpw-", dir="/tmp"))  # socket paths must stay short
    told = {**os.environ, **ENV, "RAY_metrics_report_interval_ms": "1000", **_AS_IN_IMAGES, **env}
    node: Node | None = None
    try:
        for _ in range(_TRIES):
            head, node = _begin(folder, told)
            started = node
            wait_for(lambda: joined(started) or started.process.poll() is not None, "the head")  # noqa: B023
            if node.process.poll() is None:
                break
            node.end()
        else:
            raise RuntimeError(f"the head did not start: {node and node.log.read_text()[-2000:]}")
        yield head
    finally:
        if node is not None:
            node.end()
        shutil.rmtree(folder, ignore_errors=True)


def _begin(folder: Path, env: Mapping[str, str]) -> tuple[Head, Node]:
    port, dashboard, metrics = free_port(), free_port(), free_port()
    command = [
        str(Path(sys.executable).with_name("ray")), "start", "--block", "--head", f"--port={port}",
        f"--temp-dir={folder}", "--include-dashboard=true", f"--dashboard-port={dashboard}",
        f"--metrics-export-port={metrics}", f"--ray-client-server-port={free_port()}",
        "--node-ip-address=127.0.0.1", "--num-cpus=6", "--num-gpus=1",
        "--object-store-memory=80000000", f"--dashboard-agent-listen-port={free_port()}",
    ]  # fmt: skip
    log = folder / "head.log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env=dict(env))
    head = Head(
        f"127.0.0.1:{port}", f"http://127.0.0.1:{dashboard}",
        f"http://127.0.0.1:{metrics}/metrics", folder / "session_latest/logs",
    )  # fmt: skip
    return head, Node("head", "127.0.0.1", process, log)
