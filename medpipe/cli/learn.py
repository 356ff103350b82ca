"""The verbs that train and judge: what they say while they work and in the end."""

import importlib.util
import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.console import Console

from medpipe.config import MedpipeConfig
from medpipe.errors import ConfigError
from medpipe.runtime.training import TrainingOutcome, train

if TYPE_CHECKING:
    from medpipe.runtime.judging import Evaluation


def train_run(
    config: MedpipeConfig, out: str, console: Console, *, resume: bool
) -> TrainingOutcome:
    """Train, with a line for every logged step."""
    check_extra()

    def on_step(step: int, figures: dict[str, float]) -> None:
        said = [f"step {step}", f"epoch {figures['epoch']:.2f}", f"loss {figures['loss']:.4f}"]
        said.append(f"{figures['samples_a_s']:.0f} samples/s")
        said.append(f"waits {figures['data_wait_share']:.0%}")
        if "validation/recall_at_1" in figures:
            said.append(f"held-back R@1 {figures['validation/recall_at_1']:.3f}")
        console.print(", ".join(said), highlight=False)

    return train(config, out, resume=resume, on_step=on_step)


def show_training(outcome: TrainingOutcome, out: str, console: Console, *, as_json: bool) -> None:
    """How a training run ended."""
    if as_json:
        sys.stdout.write(json.dumps({"out": out, **asdict(outcome)}) + "\n")
        return
    ended = "trained" if outcome.finished else "stopped; the same command goes on"
    console.print(f"{ended}: step {outcome.step}, {outcome.wall_s:.0f} s", highlight=False)
    console.print(f"model: {out}/{outcome.checkpoint}", markup=False, highlight=False)


def evaluate_models(
    job: "Evaluation", config: MedpipeConfig, console: Console, *, as_json: bool
) -> None:
    """Judge, and say where the report lies and what the means are."""
    from medpipe.runtime.judging import evaluate

    results = evaluate(job, config)
    if as_json:
        sys.stdout.write(results.model_dump_json() + "\n")
        return
    for mean in results.domains:
        if mean.domain is None and mean.figure is not None:
            console.print(
                f"{mean.model}: {mean.metric} {mean.figure.value:.3f} over "
                f"{mean.present} of {mean.listed} domains ({mean.task})",
                markup=False,
                highlight=False,
            )
    console.print(f"{len(results.present)} test sets judged, {len(results.absent)} not present")
    console.print(f"report: {job.out}/report.html", markup=False, highlight=False)


def check_extra() -> None:
    """Say at once when the packages for training are not there.

    Raises:
        ConfigError: They are not.
    """
    wanted = ("torch", "open_clip", "sklearn", "matplotlib")
    missing = [name for name in wanted if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigError(
            f"{' and '.join(missing)} not installed: pip install 'medpipe[train]' (about 6 GB)"
        )
