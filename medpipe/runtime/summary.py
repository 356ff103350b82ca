"""What a run has to say for itself in the end: one JSON object beside the dataset, and its twin.

Holds counts and codes only, no ids, so that a takedown has nothing to do here.
"""

import importlib.metadata
import platform
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import medpipe
from medpipe.config import MedpipeConfig
from medpipe.pipeline import RECORD_REJECTION, VIDEO_WALK
from medpipe.records import Record
from medpipe.runtime.flights import Tally
from medpipe.runtime.meter import WORKER_STATES, Totals
from medpipe.runtime.nodes import Node
from medpipe.storage import ObjectStore

RUNS = "_runs"

_PACKAGES = ("ray", "yt-dlp", "faster-whisper", "ctranslate2", "av", "opencv-python-headless",
             "numpy", "pyarrow", "deltalake")  # fmt: skip
_POOL_OF = {step.name: step.pool for step in (*VIDEO_WALK, RECORD_REJECTION)}


@dataclass(slots=True)
class ClusterSeen:
    """The most that the cluster had at a time."""

    nodes: int = 0
    cpus: float = 0.0
    gpus: float = 0.0

    def look(self, nodes: Iterable[Node]) -> None:
        """Take in how it is now."""
        now = list(nodes)
        self.nodes = max(self.nodes, len(now))
        self.cpus = max(self.cpus, sum(node.resources.get("CPU", 0.0) for node in now))
        self.gpus = max(self.gpus, sum(node.resources.get("GPU", 0.0) for node in now))


class Count(Record):
    """How many items, attempts or workers ended in one way.

    Attributes:
        state: `done`, `rejected`, `dead`, `retried` (an attempt) or `lost` (a worker).
        place: The step, or a worker's pool.
        reason: Code, or `none`.
    """

    state: str
    place: str
    reason: str
    number: int


class Stage(Record):
    """A step of the walk and how fast it was; times real time, so 1 is an hour in an hour.

    Attributes:
        results: Its runs by result.
        wall_s: Of the good ones, together.
        media_s: Seconds of media that they were through with.
        one_worker_x: Media for a second of a worker at this step.
        run_x: Media for a second of the run.
        limit_x: What its pool's workers would do in a second of the run, were they always at it.
        of_limit: `run_x / limit_x`.
    """

    step: str
    pool: str
    results: dict[str, int]
    wall_s: float
    media_s: float
    one_worker_x: float | None
    run_x: float | None
    limit_x: float | None
    of_limit: float | None


class Pool(Record):
    """The workers of a pool: their seconds by state, and how much of it was work."""

    pool: str
    worker_s: dict[str, float]
    busy_share: float | None
    gpu_s: float


class Cost(Record):
    """Dollars; None where no prices are set, or nothing was made."""

    usd: float | None
    per_video_hour_usd: float | None
    per_sample_usd: float | None


class RunSummary(Record):
    """See the module's docstring.

    Attributes:
        ended: How: `complete`, `limit`, `interrupted` or `failed`.
        cause: Which limit, or what failed.
        items: The run's tally.
        left: Items still open in the queue.
        ends: Items, attempts and workers by how and why they ended.
        rows: What this run's items brought, by table.
        busiest: The pool that had the largest share of work: more of it helps most.
        cpu_s: CPU seconds by stage, of the items that ended.
        dataset: The funnel of the whole dataset.
    """

    run_id: str
    began_at: datetime
    ended_at: datetime
    ended: str
    cause: str | None
    items: dict[str, int]
    left: int
    ends: tuple[Count, ...]
    rows: dict[str, int]
    media_h: float
    fetched_bytes: dict[str, int]
    wall_s: float
    work_s: float
    stages: tuple[Stage, ...]
    pools: tuple[Pool, ...]
    busiest: str | None
    cpu_s: dict[str, float]
    cost: Cost
    cluster: dict[str, float]
    versions: dict[str, str]
    models: dict[str, str]
    config_hash: str
    dataset: dict[str, Any]

    @property
    def key(self) -> str:
        """Where it lies, but for the suffix."""
        return f"{RUNS}/{self.ended_at:%Y%m%dT%H%M%SZ}-{self.run_id[:8]}"


@dataclass(frozen=True, slots=True)
class Ending:
    """How and when a run ended; see `RunSummary`.

    Attributes:
        at_s: Unix time.
    """

    run_id: str
    at_s: float
    how: str
    cause: str | None
    left: int
    recovered: int
    wall_s: float
    work_s: float


def summarise(
    ending: Ending,
    tally: Tally,
    totals: Totals,
    cluster: ClusterSeen,
    config: MedpipeConfig,
    funnel: dict[str, Any],
) -> RunSummary:
    """Put together what a run has counted."""
    work_s = max(ending.work_s, 1e-9)
    pools = _pools(totals)
    busy = {pool.pool: pool.busy_share for pool in pools if pool.busy_share is not None}
    return RunSummary(
        run_id=ending.run_id,
        began_at=datetime.fromtimestamp(ending.at_s - ending.wall_s, UTC),
        ended_at=datetime.fromtimestamp(ending.at_s, UTC),
        ended=ending.how,
        cause=ending.cause,
        items={
            "done": tally.done,
            "rejected": tally.rejected,
            "dead": tally.dead,
            "already_in": tally.already_in,
            "recovered": ending.recovered,
            "retried": tally.retried,
        },
        left=ending.left,
        ends=tuple(_ends(totals)),
        rows=dict(sorted(totals.rows.items())),
        media_h=tally.media_s / 3600,
        fetched_bytes=dict(sorted(totals.fetched_bytes.items())),
        wall_s=ending.wall_s,
        work_s=ending.work_s,
        stages=tuple(_stages(totals, work_s)),
        pools=pools,
        busiest=max(busy, key=lambda pool: busy[pool]) if busy else None,
        cpu_s=dict(sorted(totals.cpu_s.items())),
        cost=_cost(tally, totals, config),
        cluster={"nodes": cluster.nodes, "cpus": cluster.cpus, "gpus": cluster.gpus},
        versions=_versions(),
        models={"transcribe": config.transcribe.model},
        config_hash=config.rows_hash(),
        dataset=funnel,
    )


def put_summary(store: ObjectStore, summary: RunSummary, page: str) -> str:
    """Put it beside the dataset, for machines and for people; returns the latter's key."""
    key = f"{summary.key}.md"
    store.put_if_absent(f"{summary.key}.json", summary.model_dump_json(indent=1).encode())
    store.put_if_absent(key, page.encode())
    return key


def last_summary(store: ObjectStore) -> RunSummary | None:
    """The summary of the run that ended last, or None."""
    keys = [key for key in store.keys(RUNS) if key.endswith(".json")]
    return RunSummary.model_validate_json(store.read(keys[-1])) if keys else None


def _ends(totals: Totals) -> Iterable[Count]:
    for (state, step, reason), number in sorted(totals.ends.items()):
        yield Count(state=state, place=step, reason=reason, number=number)
    for state, counter in (("retried", totals.retries), ("lost", totals.deaths)):
        for (place, reason), number in sorted(counter.items()):
            yield Count(state=state, place=place, reason=reason, number=number)


def _stages(totals: Totals, work_s: float) -> Iterable[Stage]:
    for step, seen in totals.steps.items():
        pool = _POOL_OF.get(step, step)
        alive_s = sum(totals.worker_s[pool, state] for state in WORKER_STATES)
        one = seen.media_s / seen.wall_s if seen.media_s and seen.wall_s else None
        run = seen.media_s / work_s if seen.media_s else None
        limit = one * alive_s / work_s if one and alive_s else None
        yield Stage(
            step=step,
            pool=pool,
            results=dict(sorted(seen.results.items())),
            wall_s=seen.wall_s,
            media_s=seen.media_s,
            one_worker_x=one,
            run_x=run,
            limit_x=limit,
            of_limit=run / limit if run and limit else None,
        )


def _pools(totals: Totals) -> tuple[Pool, ...]:
    made = []
    for name in sorted({pool for pool, _ in totals.worker_s}):
        seconds = {state: totals.worker_s[name, state] for state in WORKER_STATES}
        alive_s = sum(seconds.values())
        share = seconds["busy"] / alive_s if alive_s else None
        made.append(Pool(pool=name, worker_s=seconds, busy_share=share, gpu_s=totals.gpu_s[name]))
    return tuple(made)


def _cost(tally: Tally, totals: Totals, config: MedpipeConfig) -> Cost:
    prices = config.prices
    if prices.cpu_hour_usd is None and prices.gpu_hour_usd is None:
        return Cost(usd=None, per_video_hour_usd=None, per_sample_usd=None)
    usd, samples = tally.cost_usd, totals.rows["samples"]
    return Cost(
        usd=usd,
        per_video_hour_usd=usd / (tally.media_s / 3600) if tally.media_s else None,
        per_sample_usd=usd / samples if samples else None,
    )


def _versions() -> dict[str, str]:
    found = {name: importlib.metadata.version(name) for name in _PACKAGES}
    return {"medpipe": medpipe.__version__, "python": platform.python_version(), **found}
