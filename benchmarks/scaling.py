"""How much more is done by more workers: 1 to 32 that sleep, and two nodes of one core against one.

Both parts send items of one step through the real driver and its queue to Ray's actors. Those that
sleep show what the driver lets them do: throughput in steady state against the ideal of workers by
seconds a step. Those that compute run on nodes pinned to one core each, one node, then two, then
one again. Steady state is from when every worker has ended its first step until the first of them
could find nothing more to do. Prints tables and writes `benchmarks/results/scaling.json`.

    python -m benchmarks.scaling [--only sleep|nodes]
"""

import argparse
import json
import logging
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import ray

from benchmarks.driving import ENV, Run, Worker, cluster, drive
from benchmarks.machine import about
from medpipe.dataset import Manifest
from medpipe.pipeline import Ticket

RESULTS = Path(__file__).parent / "results"
LEVELS = (1, 8, 32)
SLEEP_S, SLEEPS = 1.0, 12  # seconds a step, steps a worker
SPINS, SPIN_STEPS = 25_000_000, 24


class Sleeper(Worker):
    """Waits, as a worker that waits for a GPU or a server does."""

    def work(self, ticket: Ticket) -> Manifest | None:
        """Take a while without a CPU."""
        time.sleep(SLEEP_S)
        return None


class Spinner(Worker):
    """Computes."""

    def work(self, ticket: Ticket) -> Manifest | None:
        """Take a fixed number of operations."""
        total = 0
        for number in range(SPINS):
            total ^= number
        if total < 0:
            raise ArithmeticError("numbers are not what they were")
        return None


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=("sleep", "nodes"))
    args = parser.parse_args()
    path = RESULTS / "scaling.json"
    kept = json.loads(path.read_text("utf-8")) if args.only and path.exists() else {}
    figures: dict[str, Any] = {**kept, **about()}
    if args.only != "nodes":
        figures["sleep"] = sleepers()
        show_sleepers(figures["sleep"])
    if args.only != "sleep":
        figures["nodes"] = nodes()
        show_nodes(figures["nodes"])
    RESULTS.mkdir(exist_ok=True)
    path.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")


def steady_rate(run: Run, workers: int) -> float:
    """Steps a second while every worker had work."""
    ends = sorted(run.ends)
    first: dict[str, float] = {}
    for at_s, worker in ends:
        first.setdefault(worker, at_s)
    if len(first) < workers:
        raise RuntimeError(f"{len(first)} of {workers} workers had work")
    began_s, ended_s = max(first.values()), ends[-workers][0]
    done = sum(began_s < at_s <= ended_s for at_s, _ in ends)
    if ended_s <= began_s:
        raise RuntimeError("there was no steady state; take more steps")
    return done / (ended_s - began_s)


def sleepers() -> list[dict[str, float]]:
    """More and more workers that sleep, on one cluster."""
    rows = []
    with cluster():
        for workers in LEVELS:
            run = _run(Sleeper, workers, steps=workers * SLEEPS + 4 * workers, cpus=0.05)
            rate = steady_rate(run, workers)
            rows.append(
                {
                    "workers": workers,
                    "steps a second": rate,
                    "of the ideal": rate * SLEEP_S / workers,
                    "against one worker": rate / rows[0]["steps a second"] if rows else 1.0,
                }
            )
    return rows


def nodes() -> dict[str, float]:
    """One node of one core, two, and one again; the ratio takes the mean of the ones."""
    with _head() as (folder, address):
        first = _node(folder, address, core=0)
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        try:
            before = _spin(1)
            second = _node(folder, address, core=1)
            two = _spin(2)
            _end(second)
            after = _spin(1)
        finally:
            ray.shutdown()
            _end(first)
    one = (before + after) / 2
    return {
        "one node, steps a second": before,
        "two nodes, steps a second": two,
        "one node again, steps a second": after,
        "two against one": two / one,
        "of the ideal": two / one / 2,
    }


def show_sleepers(rows: list[dict[str, float]]) -> None:
    """Print them as a table."""
    print(f"workers that sleep {SLEEP_S:.0f} s a step, in steady state")
    print(f"{'workers':>8s}{'steps/s':>10s}{'of the ideal':>14s}{'against one':>13s}")
    for row in rows:
        print(
            f"{row['workers']:8.0f}{row['steps a second']:10.2f}{row['of the ideal']:14.3f}"
            f"{row['against one worker']:13.2f}"
        )


def show_nodes(figures: dict[str, float]) -> None:
    """Print them as a table."""
    print("workers that compute, nodes pinned to one core each")
    for name, value in figures.items():
        print(f"  {name:34s}{value:8.3f}")


def _spin(workers: int) -> float:
    run = _run(Spinner, workers, steps=SPIN_STEPS * workers, cpus=1)
    return steady_rate(run, workers)


def _run(worker: type, workers: int, *, steps: int, cpus: float) -> Run:
    in_flight = (f"scheduling.items_in_flight={2 * workers + 2}",)
    run = drive(steps, worker, workers=workers, cpus=cpus, overrides=in_flight)
    if run.tally.done != steps:
        raise RuntimeError(f"{run.tally} of {steps} steps")
    return run


@contextmanager
def _head() -> Iterator[tuple[Path, str]]:
    """A head that takes no work; gives its folder and address."""
    os.environ.update(ENV)
    folder = Path(tempfile.mkdtemp(prefix="mps-", dir="/tmp"))  # socket paths must stay short
    port = _free_port()
    role = ("--head", f"--port={port}", f"--temp-dir={folder}", "--include-dashboard=false")
    head = _start(folder, *role, f"--ray-client-server-port={_free_port()}", cpus=0)
    try:
        yield folder, f"127.0.0.1:{port}"
    finally:
        _end(head)
        shutil.rmtree(folder, ignore_errors=True)


def _node(folder: Path, address: str, core: int) -> "subprocess.Popen[bytes]":
    return _start(folder, f"--address={address}", cpus=1, pin=("taskset", "-c", str(core)))


def _start(
    folder: Path, *role: str, cpus: int, pin: tuple[str, ...] = ()
) -> "subprocess.Popen[bytes]":
    """Start a part of the cluster and wait until it is up."""
    command = (
        *pin, str(Path(sys.executable).with_name("ray")), "start", "--block", *role,
        "--node-ip-address=127.0.0.1", f"--num-cpus={cpus}", "--num-gpus=0",
        "--object-store-memory=80000000", f"--dashboard-agent-listen-port={_free_port()}",
    )  # fmt: skip
    log = folder / f"start-{_free_port()}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out)
    for _ in range(600):
        if b"Ray runtime started" in log.read_bytes():
            return process
        if process.poll() is not None:
            break
        time.sleep(0.2)
    _end(process)
    raise RuntimeError(f"Ray did not start: {log.read_text()[-2000:]}")


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End it with all that it started."""
    with suppress(psutil.Error):
        top = psutil.Process(process.pid)
        family = [*top.children(recursive=True), top]
        for member in family:
            with suppress(psutil.Error):
                member.kill()
        psutil.wait_procs(family, timeout=30)
    process.wait(30)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
