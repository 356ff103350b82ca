"""What the verbs print: tables for people, one JSON object for machines."""

import json
import logging
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table

from medpipe import logs
from medpipe.cli.work import Enqueued, RunReport
from medpipe.demo.judge import DemoResult
from medpipe.runtime.driver import Driver
from medpipe.runtime.survey import Finding

logger = logging.getLogger(__name__)

_PLAIN_EVERY_S = 10.0


def _json(value: Any) -> None:
    sys.stdout.write(json.dumps(value) + "\n")


@contextmanager
def progress(console: Console) -> Iterator[Callable[[Driver], None]]:
    """Bars on a terminal, a plain line every ten seconds elsewhere, in the log if it is JSON."""
    if logs.for_machines():
        yield _plain(lambda line: logger.info("%s", line))
        return
    if not console.is_terminal:
        yield _plain(lambda line: console.print(line, highlight=False))
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[waiting]}"),
    )
    with Progress(*columns, console=console, transient=True) as bars:
        task = bars.add_task("starting Ray", total=None, waiting="")

        def on_tick(driver: Driver) -> None:
            done, total = driver.flights.progress()
            bars.update(
                task,
                description="items",
                completed=done,
                total=total,
                waiting=_waiting_for(driver),
            )

        yield on_tick


def _plain(say: Callable[[str], None]) -> Callable[[Driver], None]:
    said_at_s = 0.0

    def on_tick(driver: Driver) -> None:
        nonlocal said_at_s
        now_s = time.monotonic()
        if now_s - said_at_s >= _PLAIN_EVERY_S:
            said_at_s = now_s
            done, total = driver.flights.progress()
            say(f"{done}/{total} items, {_waiting_for(driver)}")

    return on_tick


def _waiting_for(driver: Driver) -> str:
    """What the job waits for; the scheduler does not know of items that nobody has leased yet."""
    if driver.flights.ready and not driver.scheduler.items_in_flight:
        return "about to lease the next ones"
    return driver.scheduler.waiting_for


def run_report(report: RunReport, console: Console, *, as_json: bool) -> None:
    """What a run did."""
    outcome, enqueued = report.outcome, report.enqueued
    tally = outcome.tally
    if as_json:
        _json(_run_json(report))
        return
    for refusal in enqueued.refused:
        _say(console, f"refused {refusal.source}: {refusal.code}: {refusal.detail}", "yellow")
    if enqueued.doubles:
        _say(console, f"{enqueued.doubles} sources are the same item as another one")
    if outcome.nothing_new:
        _say(console, f"nothing new: all {_already_in(report)} items are in already", "green")
    else:
        _say(
            console,
            f"{tally.done} done, {tally.rejected} rejected, {tally.dead} dead letters, "
            f"{_already_in(report)} in already, {tally.retried} tries repeated, "
            f"{outcome.wall_s:.1f} s",
        )
    if outcome.recovered:
        _say(console, f"{outcome.recovered} items of an earlier run were committed")
    funnel(report.funnel, console)
    _run_end(report, console)


def _run_end(report: RunReport, console: Console) -> None:
    """How it ended, what to do now, and where everything lies."""
    outcome = report.outcome
    if outcome.limit:
        _say(console, f"stopped by {outcome.limit}; {outcome.left} items are left", "yellow")
    if outcome.interrupted:
        _say(console, "interrupted; the same command resumes", "yellow")
    if report.set_aside:
        _say(console, f"{report.set_aside} messages in the queue were no items", "red")
    if outcome.tally.dead:
        _say(console, f"dead letters: see `medpipe status --queue {report.queue}`", "red")
    _say(console, f"dataset: {report.out}")
    if outcome.summary:
        _say(console, f"summary: {report.out.rstrip('/')}/{outcome.summary}")


def _run_json(report: RunReport) -> dict[str, Any]:
    outcome, enqueued = report.outcome, report.enqueued
    tally = outcome.tally
    return {
        "out": report.out,
        "queue": report.queue,
        "exit_code": report.exit_code,
        "new": tally.done + tally.rejected + outcome.recovered,
        "already_in": _already_in(report),
        "doubles": enqueued.doubles,
        "refused": [r.model_dump() for r in enqueued.refused],
        "tally": asdict(tally),
        "recovered": outcome.recovered,
        "interrupted": outcome.interrupted,
        "limit": outcome.limit,
        "left": outcome.left,
        "set_aside": report.set_aside,
        "wall_s": outcome.wall_s,
        "work_s": outcome.work_s,
        "summary": outcome.summary,
        "funnel": report.funnel,
    }


def stale(count: int) -> None:
    """Warn that items are in with another config and will be done again."""
    logger.warning("%d items are in with another config; they are done again and replaced", count)


def _already_in(report: RunReport) -> int:
    tally = report.outcome.tally
    fresh = tally.done + tally.rejected + tally.dead
    rest = len(report.enqueued.ids) - fresh - report.outcome.recovered - report.outcome.left
    return max(tally.already_in, rest)


def funnel(found: Mapping[str, Any], console: Console) -> None:
    """What is in a dataset and what fell out on the way."""
    table = Table(title="funnel", title_justify="left")
    table.add_column("what")
    table.add_column("count", justify="right")
    for name in ("items", "done", "rejected"):
        table.add_row(name, str(found[name]))
    for name, count in found["totals"].items():
        table.add_row(f"  {name.replace('_', ' ')}", str(count))
    for name, count in found["rejects"].items():
        table.add_row(f"  dropped: {name}", str(count), style="yellow")
    console.print(table, markup=False)


def enqueued(result: Enqueued, console: Console, errors: Console, *, as_json: bool) -> None:
    """What became of the sources."""
    if as_json:
        _json(
            {
                "new": result.new,
                "known": len(result.ids) - result.new,
                "doubles": result.doubles,
                "refused": [r.model_dump() for r in result.refused],
            }
        )
        return
    for refusal in result.refused:
        _say(errors, f"refused {refusal.source}: {refusal.code}: {refusal.detail}", "yellow")
    known = len(result.ids) - result.new
    _say(console, f"{result.new} new, {known} in the queue already, {result.doubles} doubles")


def status(found: dict[str, Any], console: Console, *, as_json: bool) -> None:
    """How a queue and a dataset stand."""
    if as_json:
        _json(found)
        return
    if "queue" in found:
        table = Table(title="queue", title_justify="left")
        table.add_column("state")
        table.add_column("items", justify="right")
        for state, count in found["queue"].items():
            table.add_row(state, str(count))
        for reason, count in found["reasons"].items():
            table.add_row(f"  {reason}", str(count), style="yellow")
        console.print(table)
    if "dataset" in found:
        funnel(found["dataset"], console)
        pace = found["dataset"].get("items_per_hour")
        if pace:
            media = found["dataset"]["media_hours_per_hour"]
            _say(console, f"{pace:.1f} items and {media:.2f} hours of media an hour")
        cost = found["dataset"].get("cost_usd")
        _say(console, f"cost so far: {'unknown (no prices set)' if cost is None else cost}")
    if "last_run" in found:
        last = found["last_run"]
        counts = ", ".join(f"{number} {what}" for what, number in last["items"].items() if number)
        _say(console, f"last run: {last['ended']}, {counts or 'nothing'}; {last['summary']}")
    if "eta_s" in found:
        _say(console, f"about {found['eta_s'] / 60:.0f} minutes to go")


def demo(result: DemoResult, console: Console, *, as_json: bool) -> None:
    """The demo's funnel, its times and its errors against the truth."""
    if as_json:
        _json(result.as_json())
        return
    funnel(result.funnel, console)
    times = Table(title="where the time went (CPU seconds)", title_justify="left")
    times.add_column("stage")
    times.add_column("CPU s", justify="right")
    times.add_column("per minute of video", justify="right")
    for stage, cpu_s in result.cpu_s.items():
        times.add_row(stage, f"{cpu_s:.1f}", f"{60 * cpu_s / max(result.media_s, 1e-9):.1f}")
    console.print(times)
    errors = Table(title="errors against the truth", title_justify="left")
    for column in ("lecture", "WER", "recall", "precision", "error px", "scene F1", "box IoU"):
        errors.add_column(column, justify="left" if column == "lecture" else "right")
    for score in [*result.lectures, result.mean]:
        errors.add_row(
            score.name,
            *(
                f"{value:.{digits}f}"
                for value, digits in (
                    (score.wer, 3),
                    (score.pointer_recall, 3),
                    (score.pointer_precision, 3),
                    (score.median_error_px, 2),
                    (score.scene_f1, 2),
                    (score.box_iou, 2),
                )
            ),
        )
    console.print(errors)
    _say(console, f"dataset: {result.dataset}")
    _say(console, f"report:  {result.report}")


def findings(found: Sequence[Finding], console: Console, *, as_json: bool) -> None:
    """What the doctor saw."""
    if as_json:
        _json([asdict(finding) for finding in found])
        return
    for finding in found:
        mark = "ok  " if finding.ok else ("FAIL" if finding.needed else "note")
        _say(console, f"{mark}  {finding.what}: {finding.seen}")
        if not finding.ok and finding.advice:
            _say(console, f"      -> {finding.advice}")


def _say(console: Console, text: str, style: str | None = None) -> None:
    console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)
