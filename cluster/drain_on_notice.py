"""Runs `ray start --block` and drains it when the cloud says that this spot machine will go.

python drain_on_notice.py aws|gcp COMMAND...

Ray answers SIGTERM by a drain: it places nothing more on the node, and what still runs there after
RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S fails as preempted, which costs an item no try.
"""

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from types import FrameType

_EVERY_S = 5.0
_ANSWER_S = 2.0
# Another address of the metadata service, for tests.
_SERVICE = os.environ.get("METADATA_URL")


def aws_notice() -> bool:
    """Whether EC2 has given notice; a token first, because IMDSv2 is required."""
    base = _SERVICE or "http://169.254.169.254"
    life = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}
    token = _asked(f"{base}/latest/api/token", life, "PUT")
    if token is None:
        return False
    head = {"X-aws-ec2-metadata-token": token}
    return _asked(f"{base}/latest/meta-data/spot/instance-action", head) is not None


def gcp_notice() -> bool:
    """Whether Compute Engine has given notice."""
    base = _SERVICE or "http://metadata.google.internal"
    url = f"{base}/computeMetadata/v1/instance/preempted"
    return _asked(url, {"Metadata-Flavor": "Google"}) == "TRUE"


def _asked(url: str, headers: dict[str, str], method: str = "GET") -> str | None:
    request = urllib.request.Request(url, headers=headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=_ANSWER_S) as answer:
            return str(answer.read().decode().strip())
    except (urllib.error.URLError, OSError):
        return None


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns its exit code."""
    cloud, *command = arguments
    has_notice = {"aws": aws_notice, "gcp": gcp_notice}[cloud]
    child = subprocess.Popen(command)

    def pass_on(number: int, frame: FrameType | None) -> None:
        child.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, pass_on)
    told = False
    while True:
        try:
            return child.wait(_EVERY_S)
        except subprocess.TimeoutExpired:
            if not told and has_notice():
                told = True
                child.send_signal(signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
