"""From no nodes to some and back: `medpipe run` under Ray's autoscaler, second by second.

Starts a head that takes no work with the node types of `cluster/local.yaml` (the real autoscaler,
version 2; its nodes are processes of this machine), runs the real job over small lectures without
telling it how many workers there shall be, and looks once a second until all nodes have gone.
Prints the timeline and writes `benchmarks/results/autoscaler.json`.

    python -m benchmarks.autoscaler [--items 12]
"""

import argparse
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
import yaml
from ray import _raylet
from ray.core.generated import autoscaler_pb2

from benchmarks.lectures import make_lecture, random_spec
from benchmarks.machine import about

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results"
HEAD = "f" * 51 + "00000"
ENV = {
    "RAY_AUTH_MODE": "disabled",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_SCHEDULER_EVENTS": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_agent_register_timeout_ms": "240000",
    "OMP_NUM_THREADS": "1",
}
AUTOSCALED = {
    "RAY_FAKE_CLUSTER": "1",
    "AUTOSCALER_UPDATE_INTERVAL_S": "1",
    "RAY_enable_autoscaler_v2": "1",
    "RAY_CLOUD_INSTANCE_ID": HEAD,
    "RAY_OVERRIDE_NODE_ID_FOR_TESTING": HEAD,
}
START_S, LEAVE_S = 240.0, 180.0

_ray: Any = _raylet
_messages: Any = autoscaler_pb2


@dataclass(frozen=True)
class Moment:
    """How it stood at a second.

    Attributes:
        at_s: Seconds since the job was started.
        nodes: Nodes beside the head, by type.
        waiting: Workers that wait for a node.
        done: Items done.
        running: Whether the job still runs.
    """

    at_s: float
    nodes: dict[str, int]
    waiting: int
    done: int
    running: bool


@dataclass(frozen=True)
class Scaled:
    """A job on an autoscaled cluster, from its start until the nodes have gone."""

    exit_code: int
    said: str
    moments: tuple[Moment, ...]

    @property
    def peak(self) -> int:
        """Most nodes at a time."""
        return max(sum(moment.nodes.values()) for moment in self.moments)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=12)
    items = parser.parse_args().items
    with tempfile.TemporaryDirectory() as folder:
        scaled = scale(lectures(Path(folder), items), Path(folder))
    print("| second | cpu nodes | gpu nodes | workers waiting | items done | job |")
    print("|---|---|---|---|---|---|")
    for moment in changes(scaled.moments):
        kinds = (moment.nodes.get("cpu", 0), moment.nodes.get("gpu", 0))
        row = (f"{moment.at_s:.0f}", *kinds, moment.waiting, moment.done)
        print("|", *(f"{cell} |" for cell in row), "runs |" if moment.running else "ended |")
    print(f"exit code {scaled.exit_code}, at most {scaled.peak} nodes")
    figures = {**about(), "items": items, "exit_code": scaled.exit_code, "peak": scaled.peak}
    figures["timeline"] = [asdict(moment) for moment in changes(scaled.moments)]
    (RESULTS / "autoscaler.json").write_text(json.dumps(figures, indent=1) + "\n", "utf-8")


def lectures(folder: Path, items: int) -> list[Path]:
    """Small videos without speech."""
    specs = [
        random_spec(s, width_px=320, height_px=240, fps=12, duration_s=30, speech="none")
        for s in range(700, 700 + items)
    ]
    return [make_lecture(spec, folder / "lectures").video for spec in specs]


def scale(sources: Sequence[Path], folder: Path) -> Scaled:
    """Run the job, and look until no node is left.

    Args:
        sources: Videos.
        folder: For the dataset, in `out`.
    """
    with autoscaled_head() as address:
        out = folder / "out"
        job = subprocess.Popen(
            [
                sys.executable, "-m", "medpipe", "run", *map(str, sources), "--out", str(out),
                "--recipe", "demo", "--set", "runtime.transcribe_gpus=1",
                "--set", "runtime.commit_s=1", "--set", "runtime.commit_items=1",
                "--set", "scheduling.idle_worker_s=5",
            ],
            env={**os.environ, **ENV, "RAY_ADDRESS": address},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )  # fmt: skip
        try:
            moments = tuple(followed(job, address, out / "_queue.sqlite"))
            said, _ = job.communicate(timeout=10)
        finally:
            if job.poll() is None:
                os.killpg(job.pid, signal.SIGKILL)
                job.communicate()
    return Scaled(job.returncode, said, moments)


def followed(job: "subprocess.Popen[str]", address: str, queue: Path) -> Iterator[Moment]:
    """Look once a second until the job has ended and the nodes have gone."""
    client = _ray.GcsClient(address)
    began_s = time.monotonic()
    ended_s = None
    while True:
        running = job.poll() is None
        reply = _messages.GetClusterStatusReply()
        reply.ParseFromString(client.get_cluster_status(timeout_s=20))
        state = reply.cluster_resource_state
        kinds = Counter(
            node.ray_node_type_name
            for node in state.node_states
            if node.status != _messages.DEAD and node.ray_node_type_name  # the head has none
        )
        waiting = sum(asked.count for asked in state.pending_resource_requests)
        now_s = time.monotonic()
        yield Moment(round(now_s - began_s, 1), dict(kinds), waiting, done(queue), running)
        if not running:
            ended_s = ended_s or now_s
            if not kinds or now_s - ended_s > LEAVE_S:
                return
        time.sleep(1)


def done(queue: Path) -> int:
    """How many items the queue knows as done."""
    if not queue.exists():
        return 0
    with suppress(sqlite3.OperationalError):  # the table comes a moment after the file
        db = sqlite3.connect(queue, timeout=10)
        try:
            (count,) = db.execute("SELECT COUNT(*) FROM items WHERE state = 'done'").fetchone()
            return int(count)
        finally:
            db.close()
    return 0


def changes(moments: Sequence[Moment]) -> list[Moment]:
    """The moments at which something was another than before."""
    kept = list(moments[:1])
    for moment in moments[1:]:
        if any(
            getattr(moment, name) != getattr(kept[-1], name)
            for name in ("nodes", "waiting", "done", "running")
        ):
            kept.append(moment)
    return kept


@contextmanager
def autoscaled_head() -> Iterator[str]:
    """The head of `cluster/local.yaml` on ports of its own; yields its address."""
    folder = Path(tempfile.mkdtemp(prefix="mpa-", dir="/tmp"))  # socket paths must stay short
    port, dashboard = free_port(), free_port()
    config = yaml.safe_load((ROOT / "cluster/local.yaml").read_text("utf-8"))
    config["provider"]["gcs_address"] = f"127.0.0.1:{port}"
    (folder / "local.yaml").write_text(yaml.safe_dump(config), "utf-8")
    log = folder / "head.log"
    with log.open("wb") as out:
        head = subprocess.Popen(
            [
                str(Path(sys.executable).with_name("ray")), "start", "--head", "--block",
                f"--port={port}", "--num-cpus=0", "--include-dashboard=false",
                f"--dashboard-agent-listen-port={dashboard}",
                f"--ray-client-server-port={free_port()}", "--object-store-memory=80000000",
                f"--autoscaling-config={folder / 'local.yaml'}", f"--temp-dir={folder}",
            ],
            env={**os.environ, **ENV, **AUTOSCALED}, stdout=out, stderr=out,
        )  # fmt: skip
    try:
        end_s = time.monotonic() + START_S
        while b"Ray runtime started" not in log.read_bytes():
            if head.poll() is not None or time.monotonic() > end_s:
                raise RuntimeError(f"the head did not start: {log.read_text()[-2000:]}")
            time.sleep(0.2)
        yield f"127.0.0.1:{port}"
    finally:
        _end(head)
        shutil.rmtree(folder, ignore_errors=True)


def _end(head: "subprocess.Popen[bytes]") -> None:
    """End a head and the nodes that its autoscaler launched below it."""
    family = [psutil.Process(head.pid), *psutil.Process(head.pid).children(recursive=True)]
    for process in family:
        with suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(family, timeout=30)
    head.wait(30)


def free_port() -> int:
    """A port that nobody has right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
