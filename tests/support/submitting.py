"""A head with a dashboard behind a token, and jobs that are submitted to it as people do."""

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
from ray.job_submission import JobDetails, JobSubmissionClient

from tests.support.faults import Faults, wait_for
from tests.support.nodes import ENV, free_port

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
ENDED = {"SUCCEEDED", "FAILED", "STOPPED"}
_TRIES = 3


@dataclass(frozen=True)
class JobHead:
    """A head on loopback that takes jobs and work."""

    url: str
    address: str
    token: str
    env: dict[str, str]
    client: JobSubmissionClient

    def submit(
        self,
        name: str,
        entrypoint: Sequence[str | Path],
        working_dir: str | Path = "jobs",
        env_vars: dict[str, str] | None = None,
    ) -> str:
        """`ray job submit`, run in the checkout; returns what it says."""
        env = json.dumps({"env_vars": env_vars or {}})
        return self.ray(
            "submit", "--no-wait", "--submission-id", name, "--working-dir", str(working_dir),
            "--runtime-env-json", env, "--", *map(str, entrypoint),
        )  # fmt: skip

    def ray(self, verb: str, *arguments: str) -> str:
        """`ray job VERB`, which must go well."""
        done = subprocess.run(
            [BIN / "ray", "job", verb, "--address", self.url, *arguments],
            env={**os.environ, **self.env}, cwd=ROOT, capture_output=True, text=True, timeout=120,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done.stdout

    def info(self, name: str) -> JobDetails:
        """How a job stands."""
        return self.client.get_job_info(name)

    def ended(self, name: str, within_s: float = 240) -> JobDetails:
        """How a job ended."""
        wait_for(lambda: str(self.info(name).status) in ENDED, f"{name} to end", within_s)
        return self.info(name)


@contextmanager
def job_head(faults: Faults, cpus: int = 4) -> Iterator[JobHead]:
    """A head of its own; all its processes are ended in the end."""
    token = secrets.token_hex(24)
    env = {
        **ENV, **faults.env, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token,
        "OMP_NUM_THREADS": "1", "PATH": f"{BIN}:{os.environ['PATH']}",
    }  # fmt: skip
    # Socket paths must stay short.
    with TemporaryDirectory(prefix="mpj-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        for _ in range(_TRIES):
            head, url, address, log = _started(Path(folder), env, cpus)
            try:
                if _is_up(head, log):
                    headers = {"Authorization": f"Bearer {token}"}
                    client = JobSubmissionClient(url, headers=headers)
                    yield JobHead(url, address, token, env, client)
                    return
            finally:
                _end(head)
        raise RuntimeError(f"the head did not start: {log.read_text()[-3000:]}")


def _is_up(head: "subprocess.Popen[bytes]", log: Path) -> bool:
    """Wait for a head; False if it gave up, as Ray does on a busy machine."""
    wait_for(
        lambda: head.poll() is not None or b"Ray runtime started" in log.read_bytes(),
        "the head",
        within_s=300,
    )
    return head.poll() is None


def _started(
    folder: Path, env: dict[str, str], cpus: int
) -> "tuple[subprocess.Popen[bytes], str, str, Path]":
    port, dashboard, log = free_port(), free_port(), folder / "head.log"
    command = [
        BIN / "ray", "start", "--head", "--block", f"--port={port}", f"--num-cpus={cpus}",
        "--dashboard-host=127.0.0.1", f"--dashboard-port={dashboard}", f"--temp-dir={folder}",
        f"--dashboard-agent-listen-port={free_port()}",
        f"--ray-client-server-port={free_port()}", "--object-store-memory=150000000",
    ]  # fmt: skip
    with log.open("wb") as out:
        head = subprocess.Popen(command, stdout=out, stderr=out, env={**os.environ, **env})
    return head, f"http://127.0.0.1:{dashboard}", f"127.0.0.1:{port}", log


def _end(head: "subprocess.Popen[bytes]") -> None:
    family: list[psutil.Process] = []
    with suppress(psutil.Error):
        family = [psutil.Process(head.pid), *psutil.Process(head.pid).children(recursive=True)]
    for process in family:
        with suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(family, timeout=30)
    head.wait(30)
