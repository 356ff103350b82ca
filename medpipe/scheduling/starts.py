"""When a pool's workers fail to start so often that the job cannot go on."""

from dataclasses import dataclass

from medpipe.scheduling.background import Background, chance_of
from medpipe.scheduling.crew import Worker
from medpipe.scheduling.events import Failure
from medpipe.scheduling.policy import RetryPolicy

_CHANCE = 1e-9  # to end a job for nothing is worse than to quarantine an item for nothing


@dataclass(slots=True)
class _Row:
    """Failed starts of a pool in a row; those without a known cause, and how long these took."""

    failures: int = 0
    unexplained: int = 0
    exposed_s: float = 0.0


class Starts:
    """Weighs failed starts like the deaths under an item.

    Args:
        policy: How many in a row.
        background: Deaths of workers.
    """

    def __init__(self, policy: RetryPolicy, background: Background) -> None:
        self._policy = policy
        self._background = background
        self._rows: dict[str, _Row] = {}

    def went_well(self, pool: str) -> None:
        """A worker of a pool is up: those that died while they started were killed by others."""
        if self._rows.pop(pool, None) is not None:
            self._background.cleared(_suspect(pool))

    def failed(self, worker: Worker, failure: Failure, now_s: float, others: int) -> bool:
        """Note that a worker died while it started.

        Args:
            worker: Which.
            failure: How.
            now_s: Unix time.
            others: Workers of its pool that start now and may yet show that it can be done.

        Returns:
            Whether its pool is hopeless.
        """
        row = self._rows.setdefault(worker.pool, _Row())
        row.failures += 1
        if failure.unexplained:
            row.unexplained += 1
            row.exposed_s += max(0.0, now_s - worker.since_s)
            self._background.died(now_s, {_suspect(worker.pool)})
        if row.failures >= self._policy.worker_start_failures_max:
            return True
        if row.failures < max(self._policy.worker_start_failures, others + 1):
            return False
        if not row.unexplained:
            return True
        rate_per_s = self._background.rate_per_s(now_s, besides=_suspect(worker.pool))
        return chance_of(row.unexplained, rate_per_s * row.exposed_s) < _CHANCE


def _suspect(pool: str) -> str:
    return f"the start of {pool}"
