"""A run's summary as Markdown, for people."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from medpipe.runtime.meter import WORKER_STATES
from medpipe.runtime.summary import RunSummary, Stage


def as_markdown(summary: RunSummary) -> str:
    """The page: items, speed, cost, what the dataset holds by now, and what made it."""
    parts = (_head, _items, _speed, _cost, _dataset, _made_by)
    return "\n".join(line for part in parts for line in (*part(summary), "")).rstrip() + "\n"


def _head(s: RunSummary) -> Iterator[str]:
    cause = f" ({s.cause})" if s.cause else ""
    yield f"# Run {s.run_id[:8]}: {s.ended}{cause}"
    yield ""
    yield (
        f"{s.began_at:%Y-%m-%d %H:%M:%S} to {s.ended_at:%H:%M:%S} UTC: {s.wall_s:.1f} s, of which "
        f"{s.work_s:.1f} s with Ray up, on at most {s.cluster['nodes']:g} nodes with "
        f"{s.cluster['cpus']:g} CPUs and {s.cluster['gpus']:g} GPUs."
    )
    yield f"{s.media_h:.3f} hours of media came in; {s.left} items are left in the queue."


def _items(s: RunSummary) -> Iterator[str]:
    yield from ("## Items of this run", "")
    yield from _table(("what", "items"), s.items.items())
    yield ""
    ends = ((end.state, end.place, end.reason, end.number) for end in s.ends)
    yield from _table(("end", "at", "reason", "number"), ends)
    yield ""
    rows = ", ".join(f"{n} {table}" for table, n in s.rows.items())
    yield f"Rows: {rows or 'none'}."


def _speed(s: RunSummary) -> Iterator[str]:
    yield from ("## Speed", "")
    yield (
        "Times real time: of one worker, of the run, and what the pool would do were it always at "
        "this step."
    )
    yield ""
    columns = ("step", "pool", "done", "failed", "wall s", "a worker", "run", "limit", "of limit")
    yield from _table(columns, map(_stage_row, s.stages))
    yield ""
    yield from _table(
        ("pool", *(f"{state} s" for state in WORKER_STATES), "busy", "GPU s"),
        (
            (
                pool.pool,
                *(f"{pool.worker_s.get(state, 0.0):.1f}" for state in WORKER_STATES),
                _share(pool.busy_share),
                f"{pool.gpu_s:.1f}",
            )
            for pool in s.pools
        ),
    )
    yield ""
    yield f"Busiest: {s.busiest or 'none'}."
    yield ""
    yield from _table(("stage", "CPU s"), ((name, f"{v:.1f}") for name, v in s.cpu_s.items()))


def _cost(s: RunSummary) -> Iterator[str]:
    yield from ("## Cost", "")
    hour, sample = _dollars(s.cost.per_video_hour_usd), _dollars(s.cost.per_sample_usd)
    yield f"{_dollars(s.cost.usd)}; an hour of video {hour}, a sample {sample}."


def _dataset(s: RunSummary) -> Iterator[str]:
    yield from ("## The whole dataset", "")
    yield from _table(("what", "number"), _funnel_rows(s.dataset))


def _made_by(s: RunSummary) -> Iterator[str]:
    yield from ("## Made by", "")
    named = [f"{name} {version}" for name, version in (s.versions | s.models).items()]
    yield f"Config {s.config_hash}; {', '.join(named)}."


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    lines = [" | ".join(map(str, row)) for row in rows]
    if not lines:
        return ["None."]
    return [f"| {line} |" for line in (" | ".join(head), " | ".join("---" for _ in head), *lines)]


def _stage_row(stage: Stage) -> tuple[object, ...]:
    done = stage.results.get("done", 0)
    failed = sum(stage.results.values()) - done
    speeds = (stage.one_worker_x, stage.run_x, stage.limit_x)
    shown = ("-" if speed is None else f"{speed:.2f}" for speed in speeds)
    wall = f"{stage.wall_s:.1f}"
    return (stage.step, stage.pool, done, failed, wall, *shown, _share(stage.of_limit))


def _funnel_rows(funnel: dict[str, Any]) -> Iterable[tuple[str, object]]:
    yield from ((name, funnel[name]) for name in ("items", "done", "rejected") if name in funnel)
    yield from ((name.replace("_", " "), n) for name, n in funnel.get("totals", {}).items())
    yield from ((f"dropped: {name}", n) for name, n in funnel.get("rejects", {}).items())


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"


def _dollars(value: float | None) -> str:
    return "unknown" if value is None else f"${value:.4f}"
