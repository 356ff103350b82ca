"""Training on Ray: workers are killed, come and go, and the run is stopped; the samples stay."""

import os
import signal
import subprocess
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import psutil
import pytest
import ray
import yaml

pytest.importorskip("torch", reason="pip install 'medpipe[train]'")

from medpipe.config import MedpipeConfig
from medpipe.errors import ConfigError
from medpipe.genmedclip.index import build_index
from medpipe.genmedclip.loop import Training
from medpipe.genmedclip.order import Cursor, Order, mark_of
from medpipe.genmedclip.tracking import read_log
from medpipe.runtime.training import train
from medpipe.storage import ObjectStore, open_store
from tests.support import command, training
from tests.support.faults import wait_for
from tests.support.nodes import ENV, ray_nodes

pytestmark = [pytest.mark.ray, pytest.mark.timeout(600)]

Figures = list[dict[str, float]]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> ObjectStore:
    return training.dataset(tmp_path_factory.mktemp("pairs"), 96)


def marks(figures: Figures) -> list[float]:
    return [line["batch_mark"] for line in figures]


def wanted_marks(data: ObjectStore, count: int) -> list[float]:
    """Marks of the first global batches, from the order alone."""
    config = training.config(data)
    index = build_index(data, config.data)
    found: list[float] = []
    cursor = Cursor(0, 0)
    while len(found) < count:
        order = Order(
            index.group, index.domain, global_batch=config.run.global_batch,
            seed=config.run.seed, epoch=cursor.epoch, window_rows=config.data.window_rows,
        )  # fmt: skip
        found += [float(mark_of(order.batch(n))) for n in range(order.batches)]
        cursor = Cursor(cursor.epoch + 1, 0)
    return found[:count]


def losses(figures: Figures) -> list[float]:
    return [line["loss"] for line in figures]


def alone(data: ObjectStore, folder: Path, **run: int) -> Figures:
    """The figures of the same run in this process."""
    config = training.config(data, run=run)
    store = training.prepared(config, data, folder)
    Training(config, data, store).run()
    return read_log(store)


def start(
    data: ObjectStore, folder: Path, out: Path, *settings: str, **env: str
) -> "subprocess.Popen[str]":
    """`medpipe train` on the cluster that the environment names."""
    recipe = folder / "recipe.yaml"
    recipe.write_text(yaml.safe_dump({"genmedclip": training.config(data).model_dump(mode="json")}))
    return command.start(
        ["train", recipe, "--out", out, *(part for s in settings for part in ("--set", s))],
        # A new group of workers that does not fit is given up after so long, instead of 60 s.
        **ENV, RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S="15", **env,
    )  # fmt: skip


def workers() -> list[psutil.Process]:
    """Ray Train's workers on this machine."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if "RayTrainWorker" in " ".join(process.cmdline()):
                found.append(process)
    return found


def steps(out: Path) -> int:
    """Steps that the newest checkpoint of a run has seen."""
    path = out / "LATEST.json"
    return int(yaml.safe_load(path.read_text())["step"]) if path.is_file() else 0


def newest(out: Path) -> dict[str, float]:
    """The last figures that a run has kept."""
    return read_log(open_store(str(out)))[-1]


@pytest.mark.usefixtures("ray_cluster")
def test_two_workers_learn_from_the_same_batches_as_one_process(
    data: ObjectStore, tmp_path: Path
) -> None:
    config = training.config(data, run={"workers": 2, "epochs": 1})
    told: list[int] = []
    outcome = train(
        MedpipeConfig(genmedclip=config),
        str(tmp_path / "run"),
        on_step=lambda step, figures: told.append(step),
    )
    assert (outcome.finished, outcome.step, told) == (True, 12, list(range(1, 13)))
    shared, single = read_log(open_store(str(tmp_path / "run"))), alone(data, tmp_path, epochs=1)
    assert marks(shared) == marks(single)
    assert losses(shared) == pytest.approx(losses(single), rel=1e-4)


@pytest.mark.usefixtures("ray_cluster")
def test_a_run_that_cannot_be_made_says_why_and_is_not_tried_again(
    data: ObjectStore, tmp_path: Path
) -> None:
    config = MedpipeConfig(genmedclip=training.config(data, run={"global_batch": 512}))
    with pytest.raises(ConfigError, match="give no batch of 512"):
        train(config, str(tmp_path / "run"))


@pytest.mark.usefixtures("ray_cluster")
def test_a_killed_worker_changes_no_batch(data: ObjectStore, tmp_path: Path) -> None:
    out = tmp_path / "run"
    settings = ("genmedclip.run.workers=2", "genmedclip.run.epochs=8",
                "genmedclip.run.checkpoint_steps=5")  # fmt: skip
    address = ray.get_runtime_context().gcs_address
    run = start(data, tmp_path, out, *settings, RAY_ADDRESS=address)
    try:
        wait_for(lambda: steps(out) >= 5 or run.poll() is not None, "a checkpoint", 180)
        assert run.poll() is None, run.communicate()
        workers()[0].kill()
        said, errors = run.communicate(timeout=240)
    finally:
        if run.poll() is None:
            os.killpg(run.pid, signal.SIGKILL)
            run.communicate()
    assert run.returncode == 0, f"{said}\n{errors}"
    figures = read_log(open_store(str(out)))
    assert [line["step"] for line in figures] == list(range(1, 97))
    assert marks(figures) == wanted_marks(data, 96)


@pytest.mark.soak
def test_nodes_that_come_and_go_change_no_batch(data: ObjectStore, tmp_path: Path) -> None:
    """Two nodes, then one, then two again; then told to stop."""
    out = tmp_path / "run"
    settings = ("genmedclip.run.workers=2", "genmedclip.run.min_workers=1",
                "genmedclip.run.resize_s=1", "genmedclip.run.epochs=400",
                "genmedclip.run.checkpoint_steps=5")  # fmt: skip
    with ray_nodes({}) as nodes:
        nodes.start("node-0", cpus=1)
        nodes.start("node-1", cpus=1)
        run = start(data, tmp_path, out, *settings, RAY_ADDRESS=nodes.address)

        def reached(step: int) -> None:
            wait_for(lambda: steps(out) >= step or run.poll() is not None, f"step {step}", 180)
            assert run.poll() is None, run.communicate()

        try:
            reached(5)
            nodes.nodes["node-1"].kill()
            wait_for(lambda: newest(out)["workers"] == 1, "one worker", 240)
            nodes.start("node-2", cpus=1)
            wait_for(lambda: newest(out)["workers"] == 2, "two again", 240)
            run.send_signal(signal.SIGTERM)
            said, errors = run.communicate(timeout=120)
        finally:
            if run.poll() is None:
                os.killpg(run.pid, signal.SIGKILL)
                run.communicate()
        assert run.returncode == 130, f"{said}\n{errors}"
        assert "the same command goes on" in said
    figures = read_log(open_store(str(out)))
    assert [line["step"] for line in figures] == list(range(1, len(figures) + 1))
    assert marks(figures) == wanted_marks(data, len(figures))
    sizes = [line["workers"] for line in figures]
    changes = [sizes[0], *(b for a, b in pairwise(sizes) if a != b)]
    assert changes[:3] == [2, 1, 2]
