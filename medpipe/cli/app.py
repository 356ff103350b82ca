"""The verbs of `medpipe` and what they exit with."""

import json
import logging
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from medpipe import __version__, logs
from medpipe.cli import show
from medpipe.errors import ConfigError, MedpipeError
from medpipe.telemetry import Timings

if TYPE_CHECKING:
    from medpipe.config import MedpipeConfig

logger = logging.getLogger(__name__)

app = typer.Typer(
    no_args_is_help=True,
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
out_console = Console()
err_console = Console(stderr=True)

Sources = Annotated[
    list[str],
    typer.Argument(help="Files, folders, URLs, playlists, yt:<id>, @list.txt", metavar="SOURCE..."),
]
Out = Annotated[str, typer.Option("--out", help="Dataset: a folder or s3://bucket/prefix.")]
Recipe = Annotated[
    str | None, typer.Option("--recipe", help="Name of a recipe that ships, or a YAML file.")
]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", help="Override: room.field=value; may repeat.")
]
Queue = Annotated[
    str | None, typer.Option("--queue", help="A path, sqlite:///path or sqs://region/name.")
]
TheQueue = Annotated[
    str, typer.Option("--queue", help="A path, sqlite:///path or sqs://region/name.")
]
Beside = Annotated[
    str | None, typer.Option("--out", help="Dataset; a queue on SQS keeps its ledger there.")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]


@app.callback()
def medpipe(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Medical teaching videos into localized narratives."""
    if version:
        sys.stdout.write(f"medpipe {__version__}\n")
        raise typer.Exit


@app.command()
def run(
    sources: Sources,
    out: Out,
    recipe: Recipe = None,
    overrides: Overrides = None,
    queue: Queue = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Stop after about so many items have ended.")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(help="Take no new items after this local time.")
    ] = None,
    max_cost: Annotated[
        float | None, typer.Option(min=0, help="Stop at this cost in dollars; needs prices.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Curate sources into a dataset and return when all of them are in or rejected."""
    from medpipe.cli.work import run_sources
    from medpipe.runtime import Limits

    config = _config(recipe, overrides)
    if max_cost is not None and config.prices.cost_usd(Timings()) is None:
        raise ConfigError("--max-cost needs prices; set prices.cpu_hour_usd or prices.gpu_hour_usd")
    limits = Limits(limit, until.timestamp() if until else None, max_cost)
    with redirect_stdout(sys.stderr), show.progress(err_console) as on_tick:  # Ray talks, too
        report = run_sources(
            sources, out, config, queue, limits=limits, on_tick=on_tick, on_stale=show.stale
        )
    show.run_report(report, out_console, as_json=as_json)
    raise typer.Exit(report.exit_code)


@app.command()
def enqueue(
    sources: Sources,
    queue: TheQueue,
    out: Beside = None,
    recipe: Recipe = None,
    overrides: Overrides = None,
    priority: Annotated[int, typer.Option(help="Higher goes first.")] = 0,
    as_json: Json = False,
) -> None:
    """Add sources to a queue; a job that works on it picks them up."""
    from medpipe.cli.work import enqueue_sources, queue_at

    config = _config(recipe, overrides)
    opened = queue_at(queue, out, config)
    try:
        added = enqueue_sources(sources, opened, config, priority)
    finally:
        opened.close()
    show.enqueued(added, out_console, err_console, as_json=as_json)
    raise typer.Exit(2 if added.refused else 0)


@app.command()
def status(
    queue: Queue = None,
    out: Annotated[str | None, typer.Option("--out", help="Dataset.")] = None,
    recipe: Recipe = None,
    as_json: Json = False,
) -> None:
    """Show what a queue and a dataset hold: states, funnel, throughput."""
    from medpipe.cli.work import status_of

    show.status(status_of(queue, out, _config(recipe)), out_console, as_json=as_json)


@app.command()
def retry(
    queue: TheQueue,
    reason: Annotated[
        str | None, typer.Option("--reason", help="Only this reason code; rejects included.")
    ] = None,
    out: Beside = None,
    recipe: Recipe = None,
    as_json: Json = False,
) -> None:
    """Put dead letters (or all rejects of one reason) back into the queue."""
    from medpipe.cli.work import queue_at

    opened = queue_at(queue, out, _config(recipe))
    try:
        items = opened.retry(reason=reason)
    finally:
        opened.close()
    _print({"retried": len(items), "ids": [item.id for item in items]}, as_json=as_json)


@app.command()
def transcribe(
    media: Annotated[Path, typer.Argument(help="A file with sound.")],
    json_path: Annotated[Path, typer.Option("--json", help="Where to write the words.")],
    recipe: Recipe = None,
    overrides: Overrides = None,
) -> None:
    """Listen to one file: words with real times."""
    from medpipe.cli.stages import transcribe_file

    _write_json(json_path, transcribe_file(media, _config(recipe, overrides)))


@app.command()
def extract(
    video: Annotated[Path, typer.Argument(help="A video file.")],
    json_path: Annotated[Path, typer.Option("--json", help="Where to write points and scenes.")],
    images: Annotated[Path, typer.Option("--images", help="Folder for the clean images.")],
    overlay: Annotated[
        Path | None,
        typer.Option("--overlay", help="Also a copy of the video with the findings drawn in."),
    ] = None,
    recipe: Recipe = None,
    overrides: Overrides = None,
) -> None:
    """Watch one video: scenes with clean images, and the pointer's trace."""
    from medpipe.cli.stages import extract_file

    _write_json(json_path, extract_file(video, images, _config(recipe, overrides), overlay))


@app.command()
def demo(
    out: Annotated[str, typer.Option("--out", help="Folder for dataset and report.")] = (
        "medpipe-demo"
    ),
    recipe: Annotated[str, typer.Option("--recipe", help="Recipe.")] = "demo",
    overrides: Overrides = None,
    as_json: Json = False,
) -> None:
    """Run the whole walk on bundled lectures with known truth, and print its own errors."""
    from medpipe.cli.demo import run_demo

    config = _config(recipe, overrides)
    with redirect_stdout(sys.stderr), show.progress(err_console) as on_tick:
        result = run_demo(Path(out), config, on_tick)
    show.demo(result, out_console, as_json=as_json)
    raise typer.Exit(result.exit_code)


@app.command()
def train(
    recipe: Annotated[str, typer.Argument(help="Name of a recipe that ships, or a YAML file.")],
    out: Annotated[str, typer.Option("--out", help="The run: a folder or s3://bucket/prefix.")],
    overrides: Overrides = None,
    resume: Annotated[
        str, typer.Option(help="`auto`: go on with what stands there; `never`: refuse it.")
    ] = "auto",
    as_json: Json = False,
) -> None:
    """Train GenMedCLIP on a dataset; the same command goes on where it was."""
    from medpipe.cli import learn

    if resume not in {"auto", "never"}:
        raise ConfigError(f"--resume takes auto or never, not {resume!r}")
    outcome = learn.train_run(_config(recipe, overrides), out, err_console, resume=resume == "auto")
    learn.show_training(outcome, out, out_console, as_json=as_json)
    raise typer.Exit(outcome.exit_code)


@app.command()
def evaluate(
    models: Annotated[
        list[str],
        typer.Argument(help="Runs, checkpoints or names of open_clip.", metavar="CHECKPOINT..."),
    ],
    suite: Annotated[str, typer.Argument(help="Name of a suite that ships, or a YAML file.")],
    out: Annotated[str, typer.Option("--out", help="The report: a folder or s3://bucket/prefix.")],
    data: Annotated[str, typer.Option(help="Folder or prefix that holds the test sets.")] = ".",
    cache: Annotated[
        str | None, typer.Option(help="Where embeddings are kept; None: beside the report.")
    ] = None,
    trained_on: Annotated[
        str | None, typer.Option("--trained-on", help="Dataset to look for leaks in.")
    ] = None,
    gpus: Annotated[float, typer.Option(min=0, help="GPUs to ask for.")] = 0,
    recipe: Recipe = None,
    overrides: Overrides = None,
    as_json: Json = False,
) -> None:
    """Judge models on test sets of twelve domains, side by side."""
    from medpipe.cli import learn

    learn.check_extra()
    from medpipe.runtime.judging import Evaluation

    job = Evaluation(
        models=tuple(models), suite=suite, data=data, out=out, cache=cache or f"{out}/cache",
        trained_on=trained_on, gpus=gpus,
    )  # fmt: skip
    learn.evaluate_models(job, _config(recipe, overrides), out_console, as_json=as_json)


@app.command()
def doctor(
    out: Annotated[str | None, typer.Option("--out", help="Also check this dataset URI.")] = None,
    address: Annotated[
        str | None, typer.Option(help="Also check this Ray cluster: host:port of its head.")
    ] = None,
    cluster: Annotated[
        str | None, typer.Option(help="The file that `ray up` read: node types that may come.")
    ] = None,
    recipe: Recipe = None,
    overrides: Overrides = None,
    as_json: Json = False,
) -> None:
    """Check this machine, a store and a cluster: what works, what is missing, what to do."""
    from medpipe.cli.doctor import examine

    findings = examine(_config(recipe, overrides), out, address, cluster)
    show.findings(findings, out_console, as_json=as_json)
    raise typer.Exit(0 if all(f.ok or not f.needed for f in findings) else 2)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; errors become one line and an exit code.

    Args:
        arguments: A verb and what belongs to it; None: those of the process.
    """
    logs.set_up(logs.LogConfig())
    try:
        app(arguments, standalone_mode=True)
    except ConfigError as error:
        _fail(error, 2)
    except KeyboardInterrupt:
        err_console.print("interrupted; the same command resumes")
        sys.exit(130)
    except MedpipeError as error:
        _fail(error, 1)


def _config(recipe: str | None, overrides: Sequence[str] | None = None) -> "MedpipeConfig":
    """Load the settings, and log as they say from here on."""
    from medpipe.config import load_config

    config = load_config(recipe, overrides or ())
    logs.set_up(config.log)
    return config


def _fail(error: Exception, code: int) -> None:
    if logs.for_machines():
        logger.error("%s", error)
    else:
        err_console.print(
            f"error: {error}", style="bold red", markup=False, highlight=False, soft_wrap=True
        )
    sys.exit(code)


def _print(value: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(value) + "\n")
    else:
        for key, item in value.items():
            out_console.print(f"{key}: {item}", markup=False, highlight=False)


def _write_json(path: Path, value: dict[str, Any]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(value), encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error}") from error
