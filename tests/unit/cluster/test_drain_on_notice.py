"""The watcher runs a real child against a metadata service on loopback that gives notice."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

WATCHER = Path(__file__).parents[3] / "cluster/drain_on_notice.py"
# Ends by SIGTERM with a code of its own, and without it with another.
CHILD = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(17))
print("up", flush=True)
for _ in range(10 * int(sys.argv[1])):  # a signal just before a long sleep would wait for its end
    time.sleep(0.1)
sys.exit(3)
"""


class Metadata(BaseHTTPRequestHandler):
    """Both clouds' services; EC2's wants the token that it gave."""

    noticed = False

    def do_PUT(self) -> None:
        self.answer("secret" if self.path == "/latest/api/token" else None)

    def do_GET(self) -> None:
        noticed = type(self).noticed
        aws = self.headers.get("X-aws-ec2-metadata-token") == "secret"
        google = self.headers.get("Metadata-Flavor") == "Google"
        if self.path == "/latest/meta-data/spot/instance-action" and aws and noticed:
            self.answer('{"action": "terminate"}')
        elif self.path == "/computeMetadata/v1/instance/preempted" and google:
            self.answer("TRUE" if noticed else "FALSE")
        else:
            self.answer(None)

    def answer(self, text: str | None) -> None:
        self.send_response(404 if text is None else 200)
        self.end_headers()
        self.wfile.write((text or "").encode())

    def log_message(self, format: str, *args: object) -> None:
        """Tests stay quiet."""


@pytest.fixture(params=[True, False], ids=["notice", "no notice"])
def service(request: pytest.FixtureRequest) -> Iterator[str]:
    handler = type("Told", (Metadata,), {"noticed": request.param})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("cloud", ["aws", "gcp"])
def test_a_notice_and_nothing_else_ends_the_child_by_sigterm(
    cloud: str, service: str, request: pytest.FixtureRequest
) -> None:
    noticed = "no notice" not in request.node.callspec.id
    seconds = "120" if noticed else "6"
    done = subprocess.run(
        [sys.executable, str(WATCHER), cloud, sys.executable, "-c", CHILD, seconds],
        env={**os.environ, "METADATA_URL": service}, timeout=100, check=False,
    )  # fmt: skip

    assert done.returncode == (17 if noticed else 3)


def test_a_signal_to_the_watcher_reaches_the_child() -> None:
    watcher = subprocess.Popen(
        [sys.executable, str(WATCHER), "aws", sys.executable, "-c", CHILD, "120"],
        env={**os.environ, "METADATA_URL": "http://127.0.0.1:9"}, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert watcher.stdout is not None
    with watcher.stdout:
        watcher.stdout.readline()
        watcher.terminate()
        assert watcher.wait(60) == 17
