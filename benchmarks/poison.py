"""Twenty items, one of them poison: what is finished, who is lost with it, and when it ends.

medpipe's driver and Ray Data's actor pool side by side on this machine, one actor each. Ray Data
runs as its documentation has it for data that may fail (`max_errored_blocks=-1`), with one row and
with ten rows a block, and is given up after a minute. Prints a table and writes
`benchmarks/results/poison.json` with the machine and the commit.

    python -m benchmarks.poison [--only ours|peer]
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from benchmarks.driving import Worker, cluster, drive
from benchmarks.machine import about
from medpipe.pipeline import Ticket
from medpipe.runtime.reporting import no_exit

RESULTS = Path(__file__).parent / "results"
ACTIONS = ("nothing", "raise", "sys.exit", "SIGKILL", "hang")
ITEMS, POISON = 20, 7
LIMIT_S = 60.0


def act(action: str) -> None:
    """Do what the poison does to the process that takes it."""
    match action:
        case "raise":
            raise ValueError("a file that nobody expected")
        case "sys.exit":
            sys.exit(0)
        case "SIGKILL":
            os.kill(os.getpid(), signal.SIGKILL)
        case "hang":
            time.sleep(10_000)


class Poisoned(Worker):
    """A worker of medpipe's; the ids of its items say what they do."""

    def work(self, ticket: Ticket) -> None:
        """Take an item."""
        with no_exit():
            act(ticket.item.id.split(":")[1].split("-")[0])


class PoisonedRow:
    """The same for Ray Data; a row says what it does."""

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Take a row."""
        act(row["action"])
        return row


def main() -> None:
    """Run all cases, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=("ours", "peer"))
    parser.add_argument("--case", nargs=2, metavar=("ACTION", "ROWS"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.case:
        with cluster():
            print(json.dumps(_peer_here(args.case[0], int(args.case[1]))), flush=True)
            _end_children(os.getpid())
            os._exit(0)  # a run that hangs would keep the cluster up
    cases: list[dict[str, Any]] = []
    if args.only != "peer":
        cases += ours()
    if args.only != "ours":
        cases += [_peer(action, rows) for rows in (1, 10) for action in ACTIONS]
    show(cases)
    RESULTS.mkdir(exist_ok=True)
    figures = {**about(), "items": ITEMS, "limit_s": LIMIT_S, "cases": cases}
    (RESULTS / "poison.json").write_text(json.dumps(figures, indent=1) + "\n", "utf-8")


def ours() -> list[dict[str, Any]]:
    """The driver of medpipe, one cluster for all cases."""
    cases = []
    with cluster():
        drive(1, Worker, workers=1)  # so that no case pays for the first start
        for action in ACTIONS:
            run = drive(
                ITEMS,
                Poisoned,
                workers=1,
                overrides=("scheduling.deadline_base_s=5",),
                item_id=lambda k, a=action: f"file:{a if k == POISON else 'nothing'}-{k}",
            )
            cases.append(
                {
                    "who": "medpipe",
                    "poison": action,
                    "finished": run.tally.done,
                    "innocents missing": ITEMS - (action != "nothing") - run.tally.done,
                    "dead letters": run.tally.dead,
                    "reasons": run.reasons,
                    "ended after s": round(run.wall_s, 1),
                }
            )
    return cases


def show(cases: list[dict[str, Any]]) -> None:
    """Print the cases as a table."""
    print(f"{ITEMS} items, number {POISON} is poison, one actor, given up after {LIMIT_S:.0f} s")
    print(f"{'':28s}{'poison does':12s}{'finished':>9s}{'innocents missing':>19s}  ended")
    for case in cases:
        end = f"{case['ended after s']:.1f} s" if case["ended after s"] is not None else "never"
        if case.get("error"):
            end += f", the job failed ({case['error']})"
        dead = (
            f", {case['dead letters']} dead letter {case['reasons']}" if case.get("reasons") else ""
        )
        print(
            f"{case['who']:28s}{case['poison']:12s}{case['finished']:9d}"
            f"{case['innocents missing']:19d}  {end}{dead}"
        )


def _peer(action: str, rows_a_block: int) -> dict[str, Any]:
    """Ray Data in a process of its own, which is ended with all that it started."""
    command = [sys.executable, "-m", "benchmarks.poison", "--case", action, str(rows_a_block)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        out, _ = child.communicate(timeout=LIMIT_S + 120)
    finally:
        if child.poll() is None:
            _end_children(child.pid)
            child.kill()
    case: dict[str, Any] = json.loads(out.decode().strip().splitlines()[-1])
    return case


def _peer_here(action: str, rows_a_block: int) -> dict[str, Any]:
    """Run Ray Data until it ends or its time is up."""
    import ray.data

    context = ray.data.DataContext.get_current()
    context.max_errored_blocks = -1
    context.enable_progress_bars = False
    rows = [{"k": k, "action": action if k == POISON else "nothing"} for k in range(ITEMS)]
    made = ray.data.from_items(rows, override_num_blocks=ITEMS // rows_a_block).map(
        PoisonedRow, compute=ray.data.ActorPoolStrategy(size=1), num_cpus=0.5
    )
    finished: list[int] = []
    errors: list[str] = []

    def run() -> None:
        try:
            finished.extend(row["k"] for row in made.iter_rows())
        except Exception as error:  # noqa: BLE001 - any end of the job is a result here
            errors.append(type(error).__name__)

    thread = threading.Thread(target=run, daemon=True)
    began_s = time.perf_counter()
    thread.start()
    thread.join(LIMIT_S)
    took_s = time.perf_counter() - began_s
    poison = set() if action == "nothing" else {POISON}
    return {
        "who": f"Ray Data, {rows_a_block} row{'s' * (rows_a_block > 1)} a block",
        "poison": action,
        "finished": len(finished),
        "innocents missing": ITEMS - len(poison) - len(set(finished) - poison),
        "ended after s": None if thread.is_alive() else round(took_s, 1),
        "error": errors[0] if errors else None,
    }


def _end_children(pid: int) -> None:
    """End what a process of ours started."""
    for process in psutil.Process(pid).children(recursive=True):
        with suppress(psutil.Error):
            process.kill()


if __name__ == "__main__":
    main()
