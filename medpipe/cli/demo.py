"""The demo: the main job over the bundled lectures, then its errors and its report."""

from collections.abc import Callable
from pathlib import Path

from medpipe.cli.work import run_sources
from medpipe.config import MedpipeConfig
from medpipe.dataset import Dataset
from medpipe.demo.judge import (
    DemoResult,
    bundled_lectures,
    cpu_by_stage,
    mean_score,
    score_lectures,
)
from medpipe.demo.report import write_report
from medpipe.runtime.driver import Driver
from medpipe.storage import open_store


def run_demo(
    folder: Path, config: MedpipeConfig, on_tick: Callable[[Driver], None] | None = None
) -> DemoResult:
    """Curate the bundled lectures into `folder/dataset` and judge the rows against the truth."""
    lectures = bundled_lectures()
    out = str(folder / "dataset")
    run = run_sources([str(path) for path in lectures], out, config, on_tick=on_tick)
    dataset = Dataset(open_store(out, config.storage))
    scores = score_lectures(dataset, lectures)
    report = folder / "report.html"
    write_report(
        dataset.batches("samples"),
        dataset.batches("items"),
        report,
        title="medpipe demo",
    )
    cpu_s, media_s = cpu_by_stage(dataset)
    return DemoResult(
        lectures=scores,
        mean=mean_score(scores),
        funnel=run.funnel,
        cpu_s=cpu_s,
        media_s=media_s,
        dataset=out,
        report=str(report),
        exit_code=run.exit_code,
    )
