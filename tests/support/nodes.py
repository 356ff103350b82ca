"""Ray nodes of one machine as processes of their own: they join, are drained and are killed."""

import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from medpipe import Item, load_config, open_store, run_item
from medpipe.dataset import Committer
from medpipe.stages.acquire import resolve
from medpipe.stages.transcribe import Transcriber
from tests.support.datasets import rows_of
from tests.support.faults import Faults, wait_for
from tests.support.jobs import KINDS

ENV = {
    "RAY_AUTH_MODE": "disabled",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_SCHEDULER_EVENTS": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_agent_register_timeout_ms": "240000",
    "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "10",
    # A node counts as dead after this long without a sign of it, instead of 15 s.
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "2000",
    "RAY_health_check_failure_threshold": "3",
}
# The command line on a node; as all nodes are on this machine, Ray would take the head's.
_ON_NODE = """
import sys, ray
from medpipe.cli import main
ray.init(namespace="medpipe", log_to_driver=False, _node_ip_address=sys.argv.pop(1))
main()
"""
_TRIES = 3
_ACTORS = tuple(f"ray::{title}" for title in KINDS)


@dataclass
class Node:
    """One `ray start --block`; the raylet and its workers are below it."""

    name: str
    ip: str
    process: "subprocess.Popen[bytes]"
    log: Path

    @property
    def family(self) -> list[psutil.Process]:
        """All processes of the node."""
        with suppress(psutil.Error):
            top = psutil.Process(self.process.pid)
            return [top, *top.children(recursive=True)]
        return []

    def holds(self, pid: int) -> bool:
        """Whether a process belongs to this node."""
        return pid in {process.pid for process in self.family}

    def workers(self) -> list[psutil.Process]:
        """The actors that live on it."""
        found = []
        for process in self.family:
            with suppress(psutil.Error):
                if (process.cmdline() or [""])[0].startswith(_ACTORS):
                    found.append(process)
        return found

    def part(self, program: str) -> psutil.Process:
        """One of Ray's own processes on it: `raylet` or `gcs_server`."""
        found = None
        for process in self.family:
            with suppress(psutil.Error):
                if (process.cmdline() or [""])[0].endswith(f"/{program}"):
                    found = process
        if found is None:
            raise RuntimeError(f"{self.name} has no {program}")
        return found

    def kill(self) -> None:
        """End the raylet at once, as a machine that goes away does."""
        self.part("raylet").kill()

    def kill_all(self) -> None:
        """End all of it at once."""
        for process in self.family:
            with suppress(psutil.Error):
                process.kill()

    def drain(self) -> None:
        """Tell it to go, as a spot machine is told."""
        self.process.send_signal(signal.SIGTERM)

    def end(self) -> None:
        """Leave nothing of it behind."""
        family = self.family
        self.kill_all()
        psutil.wait_procs(family, timeout=30)
        self.process.wait(30)


@dataclass
class Nodes:
    """A cluster: its head takes no work; `extra` processes end with it."""

    folder: Path
    port: int
    env: dict[str, str]
    nodes: dict[str, Node] = field(default_factory=dict)
    extra: "list[subprocess.Popen[bytes]]" = field(default_factory=list)
    _ips: dict[str, str] = field(
        default_factory=dict
    )  # 127.0.0.1 Ray replaces by the machine's own

    @property
    def address(self) -> str:
        """What RAY_ADDRESS takes."""
        return f"127.0.1.1:{self.port}"

    def begin(
        self, name: str, *, cpus: int = 0, gpus: int = 0, labels: str = "", head: bool = False
    ) -> Node:
        """Start a node without waiting for it; labels as `ray start` takes them."""
        number = len(self._ips)
        ip = self._ips.setdefault(name, f"127.0.{1 + number // 200}.{1 + number % 200}")
        role = (
            ["--head", f"--port={self.port}", f"--temp-dir={self.folder}",
             "--include-dashboard=false", f"--ray-client-server-port={free_port()}"]
            if head
            else [f"--address={self.address}"]
        )  # fmt: skip
        command = [
            str(Path(sys.executable).with_name("ray")), "start", "--block", *role,
            f"--node-ip-address={ip}", f"--num-cpus={cpus}", f"--num-gpus={gpus}",
            "--object-store-memory=80000000", f"--dashboard-agent-listen-port={free_port()}",
            *([f"--labels={labels}"] if labels else []),
        ]  # fmt: skip
        log = self.folder / f"{name}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                command, stdout=out, stderr=out, env={**os.environ, **self.env}
            )
        self.nodes[name] = Node(name, ip, process, log)
        return self.nodes[name]

    def start(self, name: str, **how: int | str | bool) -> Node:
        """Start a node and wait until it has joined; again when Ray gives up too early."""
        for _ in range(_TRIES):
            node = self.begin(name, **how)  # type: ignore[arg-type]
            wait_for(lambda: joined(node) or node.process.poll() is not None, name)  # noqa: B023
            if node.process.poll() is None:
                return node
        raise RuntimeError(f"{name} did not start: {node.log.read_text()[-2000:]}")

    def workers(self) -> list[psutil.Process]:
        """The actors of all nodes."""
        return [worker for node in self.nodes.values() for worker in node.workers()]


def joined(node: Node) -> bool:
    """Whether a node says that it is up."""
    return b"Ray runtime started" in node.log.read_bytes()


class NodesJob:
    """`medpipe run` on nodes that a test takes away under it."""

    def __init__(self, folder: Path, faults: Faults, *settings: str) -> None:
        self.out = folder / "out"
        self.queue = folder / "queue.sqlite"
        self.scratch = folder / "scratch"
        self.scratch.mkdir()
        self._faults = faults
        self._settings = (
            "runtime.transcribe_gpus=1", "runtime.commit_s=1", "runtime.commit_items=2",
            f"runtime.scratch_dir={self.scratch}", *settings,
        )  # fmt: skip

    def start(
        self, nodes: Nodes, sources: Sequence[Path], node: str = "head"
    ) -> "subprocess.Popen[str]":
        """Start it, its driver on a node."""
        arguments = [
            "run", *map(str, sources), "--out", str(self.out), "--queue", str(self.queue),
            "--recipe", "demo", *(part for s in self._settings for part in ("--set", s)),
        ]  # fmt: skip
        program = ["-c", _ON_NODE, nodes.nodes[node].ip] if node != "head" else ["-m", "medpipe"]
        return subprocess.Popen(
            [sys.executable, *program, *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
            env={**os.environ, **ENV, **self._faults.env, "RAY_ADDRESS": nodes.address},
        )  # fmt: skip

    def sql(self, statement: str) -> list[tuple[int]]:
        """Ask or tell the queue's file."""
        with sqlite3.connect(self.queue, timeout=60) as db:
            rows = db.execute(statement).fetchall()
        db.close()
        return rows

    def done(self) -> int:
        """How many items the queue knows as done."""
        return self.sql("SELECT COUNT(*) FROM items WHERE state = 'done'")[0][0]

    def left_behind(self) -> list[str]:
        """Scratch on disk, and processes of the cluster or the job that still live."""
        found = [path.name for path in self.scratch.iterdir()]
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.environ().get("MEDPIPE_FAULTS") == str(self._faults.path):
                    found.append(" ".join(process.cmdline()))
        return found


def at_work(nodes: Nodes, faults: Faults, run: "subprocess.Popen[str]", step: str) -> Node:
    """Let the next item that comes to a step wait there; returns its node."""
    for _ in range(5):
        faults.set({"point": step, "action": "hang", "times": 1})
        wait_for(lambda: faults.passed(step) or run.poll() is not None, f"an item to {step}", 240)
        assert run.poll() is None, run.communicate()
        pid = faults.passed(step)[0].pid
        for node in nodes.nodes.values():
            if node.holds(pid):
                return node
    raise AssertionError("only workers of nodes that are gone came by")


def rows_without_ray(folder: Path, lectures: Sequence[Path]) -> dict[str, list[str]]:
    """What the walk in this process makes of the same videos."""
    config = load_config("demo")
    store = open_store(str(folder))
    with Transcriber(config.transcribe) as transcriber:
        found = list(resolve(list(map(str, lectures)), config.acquiring))
        manifests = [run_item(i, store, config, transcriber) for i in found if isinstance(i, Item)]
    Committer(store).commit(manifests)
    return rows_of(folder)


def free_port() -> int:
    """A port that nobody has right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def ray_nodes(env: Mapping[str, str]) -> Iterator[Nodes]:
    """A cluster with a head; all its processes are ended in the end."""
    folder = Path(tempfile.mkdtemp(prefix="mpn-", dir="/tmp"))  # socket paths must stay short
    nodes = Nodes(folder, free_port(), {**ENV, **env})
    try:
        nodes.start("head", head=True)
        yield nodes
    finally:
        for process in nodes.extra:
            process.kill()
            process.wait()
        for node in reversed(nodes.nodes.values()):
            node.end()
        shutil.rmtree(folder, ignore_errors=True)
