"""An S3 server of moto's in a process of its own, for tests that talk S3 in earnest."""

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

KEYS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_MAX_ATTEMPTS": "2",
}


@contextmanager
def s3_server(log: Path) -> Iterator[str]:
    """Run a server on a free port of the loopback; gives its URL once it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [str(Path(sys.executable).with_name("moto_server")), "-H", "127.0.0.1"]
    with log.open("wb") as file:
        server = subprocess.Popen([*command, "-p", str(port)], stdout=file, stderr=file)
    try:
        _wait_for(url, server, log)
        yield url
    finally:
        server.terminate()
        server.wait(30)


def make_bucket(url: str, name: str) -> None:
    """Create a bucket; the server asks for no signature."""
    urllib.request.urlopen(urllib.request.Request(f"{url}/{name}", method="PUT"), timeout=10)


def open_uploads(url: str, bucket: str) -> int:
    """Multipart uploads of a bucket that were neither completed nor aborted."""
    with urllib.request.urlopen(f"{url}/{bucket}?uploads", timeout=10) as answer:
        return int(answer.read().count(b"<UploadId>"))


def _wait_for(url: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    for _ in range(600):
        if server.poll() is not None:
            break
        try:
            urllib.request.urlopen(f"{url}/moto-api/", timeout=5)
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"moto_server does not answer: {log.read_text()[-2000:]}")
