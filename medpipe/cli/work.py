"""Sources into a queue, a queue into a dataset, and how both stand."""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from medpipe.config import MedpipeConfig
from medpipe.dataset import Dataset
from medpipe.errors import ConfigError
from medpipe.queues import WorkQueue, is_sqs, open_queue
from medpipe.records import Item
from medpipe.runtime import Limits, Outcome, curate
from medpipe.runtime.driver import Driver
from medpipe.runtime.exits import EXIT_DEAD_LETTERS, EXIT_DONE
from medpipe.runtime.summary import last_summary
from medpipe.stages.acquire import Refusal, resolve
from medpipe.storage import open_store

OnTick = Callable[[Driver], None]

_BATCH = 1000


@dataclass(slots=True)
class Enqueued:
    """What became of the sources.

    Attributes:
        sources: Items that the sources gave, doubles included.
        new: Items that the queue had never seen.
        doubles: Items that came a second time under another name.
        reopened: Items that were at an end and run again because the config has changed.
        ids: Of all items, each once, in order.
        refused: Sources that gave no item.
    """

    sources: int = 0
    new: int = 0
    doubles: int = 0
    reopened: int = 0
    ids: list[str] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class RunReport:
    """All that `medpipe run` has to say."""

    out: str
    queue: str
    enqueued: Enqueued
    outcome: Outcome
    funnel: dict[str, Any]
    set_aside: int = 0

    @property
    def exit_code(self) -> int:
        """The outcome's; 3 also for a message that was no item, 2 for a source that was refused."""
        aside = EXIT_DEAD_LETTERS if self.set_aside else EXIT_DONE
        return self.outcome.exit_code or aside or (2 if self.enqueued.refused else 0)


def default_queue(out: str) -> str:
    """The queue that goes with a dataset when none is named.

    It lies beside a dataset in a folder, and in the user's state folder for one in S3; the queue
    can be lost at any time, since what is in is read from the dataset.
    """
    if "://" not in out or out.startswith("file://"):
        return str(Path(out.removeprefix("file://")).absolute() / "_queue.sqlite")
    state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    name = hashlib.sha256(out.rstrip("/").encode()).hexdigest()[:16]
    return str(Path(state) / "medpipe" / f"{name}.sqlite")


def queue_at(queue_uri: str, out: str | None, config: MedpipeConfig) -> WorkQueue:
    """Open a queue; one on SQS keeps its ledger beside the dataset.

    Raises:
        ConfigError: The queue cannot be opened, or is on SQS and no dataset is named.
    """
    store = open_store(out, config.storage) if out is not None and is_sqs(queue_uri) else None
    return open_queue(queue_uri, ledger_store=store, config=config.queue)


def enqueue_sources(
    sources: Sequence[str], queue: WorkQueue, config: MedpipeConfig, priority: int = 0
) -> Enqueued:
    """Resolve sources and add their items to a queue, a batch at a time."""
    result = Enqueued()
    seen: set[str] = set()
    items = _items(sources, config, result, seen)
    while batch := list(islice(items, _BATCH)):
        result.new += queue.enqueue(batch, priority=priority)
        result.ids.extend(item.id for item in batch)
    return result


def run_sources(
    sources: Sequence[str],
    out: str,
    config: MedpipeConfig,
    queue_uri: str | None = None,
    *,
    limits: Limits | None = None,
    on_tick: OnTick | None = None,
    on_stale: Callable[[int], None] | None = None,
) -> RunReport:
    """Enqueue sources and work until nothing is open.

    Args:
        sources: As the user names them.
        out: URI of the dataset.
        config: All settings.
        queue_uri: Of the queue; None takes the dataset's own.
        limits: When to stop before the queue is empty.
        on_tick: For progress.
        on_stale: Told how many items are in with another config and will be done again.

    Raises:
        ConfigError: No source gave an item, or a part of the config does not work here.
    """
    store = open_store(out, config.storage)
    queue_uri = queue_uri or default_queue(out)
    queue = queue_at(queue_uri, out, config)
    try:
        enqueued = enqueue_sources(sources, queue, config)
        if enqueued.refused and not enqueued.ids:
            first = enqueued.refused[0]
            raise ConfigError(f"no source to work on: {first.source}: {first.code}: {first.detail}")
        config_hash = config.rows_hash()
        known = Dataset(store).known()
        stale = [i for i in enqueued.ids if i in known and known[i].config_hash != config_hash]
        if stale and on_stale is not None:
            on_stale(len(stale))
        enqueued.reopened = queue.reopen(stale)
        outcome = curate(queue, out, config, limits=limits, on_tick=on_tick)
    finally:
        queue.close()
    funnel = Dataset(store).funnel()
    return RunReport(out, queue_uri, enqueued, outcome, funnel, queue.set_aside)


def status_of(queue_uri: str | None, out: str | None, config: MedpipeConfig) -> dict[str, Any]:
    """How a queue and a dataset stand.

    Raises:
        ConfigError: Neither is named, or the queue does not exist.
    """
    if queue_uri is None and out is None:
        raise ConfigError("name a queue (--queue) or a dataset (--out)")
    found: dict[str, Any] = {}
    if queue_uri is None and out is not None and Path(default_queue(out)).exists():
        queue_uri = default_queue(out)
    if queue_uri is not None:
        path = Path(queue_uri.removeprefix("sqlite://"))
        if not is_sqs(queue_uri) and not path.exists():
            raise ConfigError(f"there is no queue at {path}")
        queue = queue_at(queue_uri, out, config)
        try:
            found["queue"] = queue.counts().model_dump()
            found["reasons"] = queue.reasons()
        finally:
            queue.close()
    if out is not None:
        store = open_store(out, config.storage)
        dataset = Dataset(store)
        if (last := last_summary(store)) is not None:
            found["last_run"] = last.model_dump(mode="json", include={"ended", "ended_at", "items"})
            found["last_run"]["summary"] = f"{out.rstrip('/')}/{last.key}.md"
        found["dataset"] = dataset.funnel()
        found["dataset"].update(_pace(dataset))
    if "queue" in found and found.get("dataset", {}).get("items_per_hour"):
        left = sum(found["queue"][state] for state in ("ready", "delayed", "leased"))
        found["eta_s"] = 3600 * left / found["dataset"]["items_per_hour"]
    return found


def _pace(dataset: Dataset) -> dict[str, Any]:
    """Items and media per hour over the commits of the last hour of work, and the cost."""
    handle = dataset.table("items")
    if handle is None:
        return {}
    stamps = sorted(
        (entry["timestamp"] / 1000, int(entry.get("operationMetrics", {}).get("num_added_rows", 0)))
        for entry in handle.history(limit=500)
        if entry.get("operation") == "WRITE"
    )
    rows = dataset.rows("items", ["fetched_at", "duration_s", "cost_usd"]).to_pylist()
    times = [row["fetched_at"].timestamp() for row in rows if row["fetched_at"]]
    cost = [row["cost_usd"] for row in rows if row["cost_usd"] is not None]
    if not times or not stamps:
        return {"cost_usd": sum(cost) if cost else None}
    hours = max(stamps[-1][0] - min(times), 1.0) / 3600
    return {
        "items_per_hour": len(rows) / hours,
        "media_hours_per_hour": sum(row["duration_s"] or 0 for row in rows) / 3600 / hours,
        "cost_usd": sum(cost) if cost else None,
    }


def _items(
    sources: Sequence[str], config: MedpipeConfig, result: Enqueued, seen: set[str]
) -> Iterator[Item]:
    for found in resolve(sources, config.acquiring):
        if isinstance(found, Refusal):
            result.refused.append(found)
            continue
        result.sources += 1
        if found.id in seen:
            result.doubles += 1
            continue
        seen.add(found.id)
        yield found
