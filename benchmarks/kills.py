"""Workers are killed from outside all the time: how many innocent items end as dead letters.

A simulation in virtual time over the real scheduler: a pool of workers that fetch one item ahead,
killed at random whatever they do, a few items that kill their workers themselves, and drivers that
die and forget all they knew. The rule that counts two deaths as an item's own and the one that
weighs them against the deaths all around are run over the same worlds. Prints a table and writes
`benchmarks/results/kills.json` with the machine and the commit.

    python -m benchmarks.kills [--items N] [--seeds N]
"""

import argparse
import heapq
import json
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.machine import about
from benchmarks.scheduler import START_S, Simulation
from medpipe.scheduling import (
    Event,
    Failure,
    FailureKind,
    Finish,
    Instruction,
    RetryPolicy,
    Tick,
    WorkerDied,
)
from medpipe.scheduling.events import ItemTries

RESULTS = Path(__file__).parent / "results"
KILLED = Failure(FailureKind.DEATH, "worker_died", "", unexplained=True)
WORKERS = 16
DRIVER_S = 900.0
TRY_S = 300.0  # about what a try of an item takes: median 200 s of work, 20 s of fetching

RULES = {
    "two deaths": RetryPolicy(death_tries_max=2, worker_start_failures=10**6,
                              worker_start_failures_max=10**6),
    "against the background": RetryPolicy(),
}  # fmt: skip


class Storm(Simulation):
    """A job in which nobody is safe.

    Args:
        items: How many.
        workers: How many at most.
        seed: Of everything that happens.
        retry: Budgets.
        kills_per_try: Kills from outside that a worker meets in the time of one try.
        poison: Items that kill their workers themselves.
        driver_s: Seconds that a driver lives.
    """

    throttled = 0.0
    poison_share = 0.0
    preempted_an_hour = 1e-9

    def __init__(
        self,
        items: int,
        workers: int,
        seed: int,
        retry: RetryPolicy,
        *,
        kills_per_try: float,
        poison: int = 0,
        driver_s: float | None = None,
    ) -> None:
        super().__init__(items, workers, seed, retry)
        self.poison = {f"{n}" for n in self.random.sample(range(items), poison)}
        self.kill_rate_per_s = kills_per_try / TRY_S
        self.driver_s = driver_s
        self.killed = 0
        self.items = items
        self.spent: dict[str, ItemTries] = {}
        if kills_per_try:
            self.at(START_S, "kill")
        if driver_s is not None:
            self.at(driver_s, "driver")

    def happens(self, event: Event) -> bool:
        """See `Simulation`."""
        if isinstance(event, WorkerDied) and event.worker not in self.node_of:
            return False
        return super().happens(event)

    def obey(self, order: Instruction, events: Any) -> None:
        """See `Simulation`."""
        if isinstance(order, Finish):
            self.spent[order.item_id] = order.tries
        super().obey(order, events)

    def strike(self, what: str) -> None:
        """A worker or the driver is killed."""
        if what == "driver":
            self.restart()
            return
        if self.node_of:
            self.killed += 1
            self.tell(WorkerDied(self.random.choice(sorted(self.node_of)), KILLED))
        rate_per_s = self.kill_rate_per_s * max(1, len(self.node_of))
        self.at(self.random.expovariate(rate_per_s), "kill")

    def restart(self) -> None:
        """A new driver finds the queue as it is and no workers."""
        waiting = {*self.ready, *(item for _, item in self.delayed)}
        leased = {n for n in range(self.items) if n not in waiting and f"{n}" not in self.ends}
        self.ready.extendleft(sorted(leased, reverse=True))
        self.leased = 0
        self.written.clear()
        for worker in list(self.node_of):
            self.gone(worker)
        self.scheduler = self.new_scheduler()
        self.later = [e for e in self.later if isinstance(e[2], Tick | int | str | None)]
        heapq.heapify(self.later)
        self.at(self.driver_s or 0.0, "driver")


def judge(world: Storm) -> dict[str, float]:
    """Run a world to its end and count."""
    world.run()
    ends = Counter(world.ends.values())
    innocents = [item for item in world.ends if item not in world.poison]
    condemned = [item for item in innocents if world.ends[item] == "dead"]
    deaths = [world.spent[item].deaths for item in world.poison]
    return {
        "innocents": len(innocents),
        "innocents quarantined": len(condemned),
        "innocents that saw two deaths or more": sum(world.spent[i].deaths >= 2 for i in innocents),
        "poison": len(world.poison),
        "poison quarantined": ends["dead"] - len(condemned),
        "most deaths of a poison": max(deaths, default=0),
        "killed from outside": world.killed,
        "hours": world.last_end_s / 3600,
    }


def compare(items: int, seeds: int) -> list[dict[str, Any]]:
    """Both rules in the same worlds."""
    cases: list[dict[str, Any]] = []
    for kills_per_try in (0.0, 0.03, 0.1, 0.3):
        for driver_s in (None, DRIVER_S):
            for rule, retry in RULES.items():
                total: Counter[str] = Counter()
                worst = 0.0
                for seed in range(seeds):
                    world = Storm(
                        items,
                        WORKERS,
                        seed,
                        retry,
                        kills_per_try=kills_per_try,
                        poison=items // 100,
                        driver_s=driver_s,
                    )
                    figures = judge(world)
                    worst = max(worst, figures.pop("most deaths of a poison"))
                    total.update(figures)
                cases.append(
                    {
                        "rule": rule,
                        "kills a try": kills_per_try,
                        "driver killed": driver_s is not None,
                        **total,
                        "most deaths of a poison": worst,
                    }
                )
    return cases


def show(cases: list[dict[str, Any]]) -> None:
    """Print the cases as a table."""
    print(f"{WORKERS} workers, one item in a hundred is poison, virtual time")
    print(
        f"{'rule':24s}{'kills/try':>10s}{'driver':>8s}{'innocents':>11s}{'hit twice':>11s}"
        f"{'condemned':>11s}{'share':>9s}{'poison':>9s}{'found':>7s}{'deaths':>8s}{'hours':>8s}"
    )
    for case in cases:
        share = case["innocents quarantined"] / case["innocents"]
        print(
            f"{case['rule']:24s}{case['kills a try']:10.2f}"
            f"{'killed' if case['driver killed'] else 'lives':>8s}{case['innocents']:11.0f}"
            f"{case['innocents that saw two deaths or more']:11.0f}"
            f"{case['innocents quarantined']:11.0f}{share:9.4%}{case['poison']:9.0f}"
            f"{case['poison quarantined']:7.0f}{case['most deaths of a poison']:8.0f}"
            f"{case['hours']:8.1f}"
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=500)
    parser.add_argument("--seeds", type=int, default=6)
    args = parser.parse_args()
    cases = compare(args.items, args.seeds)
    show(cases)
    RESULTS.mkdir(exist_ok=True)
    figures = {**about(), "workers": WORKERS, "cases": cases}
    (RESULTS / "kills.json").write_text(json.dumps(figures, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
