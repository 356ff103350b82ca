"""A killed run goes on bit for bit as the one that was left alone."""

import signal
from pathlib import Path

import pytest

from medpipe.errors import ConfigError
from medpipe.genmedclip.loop import Hooks, Leave, Training
from medpipe.genmedclip.tracking import read_log
from medpipe.storage import ObjectStore
from tests.support import training

pytest.importorskip("torch", reason="pip install 'medpipe[train]'")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> ObjectStore:
    return training.dataset(tmp_path_factory.mktemp("pairs"))


@pytest.fixture(scope="module")
def calm(
    data: ObjectStore, tmp_path_factory: pytest.TempPathFactory
) -> tuple[ObjectStore, list[tuple[int, float, float]]]:
    """A run that nobody disturbed, and what it told of its steps."""
    config = training.config(data)
    run = training.prepared(config, data, tmp_path_factory.mktemp("calm"))
    return run, training.train_in_a_process(config, run)[1]


def weights(run: ObjectStore) -> bytes:
    return run.read("checkpoints/step-000000012/open_clip_model.safetensors")


@pytest.mark.parametrize("die_at", [1, 4, 7])
def test_a_run_killed_at_a_step_ends_with_the_weights_of_an_undisturbed_one(
    data: ObjectStore,
    calm: tuple[ObjectStore, list[tuple[int, float, float]]],
    tmp_path: Path,
    die_at: int,
) -> None:
    config, (undisturbed_run, undisturbed) = training.config(data), calm
    run = training.prepared(config, data, tmp_path / "killed")
    code, before = training.train_in_a_process(config, run, die_at=die_at)
    assert code == -signal.SIGKILL
    _, after = training.train_in_a_process(config, run)
    assert after[0][0] == (die_at - 1) // 2 * 2 + 1  # the step after the last checkpoint
    assert before == undisturbed[:die_at]
    assert after == undisturbed[after[0][0] - 1 :]
    assert weights(run) == weights(undisturbed_run)
    assert [line["step"] for line in read_log(run)] == list(range(1, 13))


def test_a_run_that_is_told_to_stop_saves_and_goes_on_where_it_was(
    data: ObjectStore,
    calm: tuple[ObjectStore, list[tuple[int, float, float]]],
    tmp_path: Path,
) -> None:
    config = training.config(data, run={"checkpoint_steps": 100})
    run = training.prepared(config, data, tmp_path / "stopped")
    steps: list[int] = []

    def on_step(step: int, figures: dict[str, float]) -> None:
        steps.append(step)

    def leaving() -> Leave:
        return Leave.STOP if steps[-1] == 5 else Leave.NO

    stopped = Training(config, data, run, hooks=Hooks(on_step, leaving)).run()
    assert (stopped.finished, stopped.step) == (False, 5)
    ended = Training(config, data, run, hooks=Hooks(on_step)).run()
    assert ended.finished
    assert steps == list(range(1, 13))
    assert weights(run) == weights(calm[0])


def test_a_machine_about_to_go_makes_one_checkpoint_and_training_goes_on(
    data: ObjectStore, tmp_path: Path
) -> None:
    config = training.config(data, run={"checkpoint_steps": 100, "keep_checkpoints": 9})
    run = training.prepared(config, data, tmp_path / "run")
    answers = iter([Leave.NO, Leave.SAVE, Leave.SAVE, Leave.NO, Leave.SAVE])
    Training(config, data, run, hooks=Hooks(leaving=lambda: next(answers, Leave.NO))).run()
    kept = sorted({key.split("/")[1] for key in run.keys("checkpoints")})
    assert kept == ["step-000000002", "step-000000005", "step-000000012"]


def test_other_settings_on_the_same_run_are_refused_by_name(
    data: ObjectStore, tmp_path: Path
) -> None:
    config = training.config(data, run={"epochs": 1})
    run = training.prepared(config, data, tmp_path / "run")
    Training(config, data, run).run()
    other = training.config(data, run={"epochs": 1}, optim={"learning_rate": 0.5})
    with pytest.raises(ConfigError, match="its optim differs"):
        Training(other, data, run)


def test_a_damaged_checkpoint_is_refused(data: ObjectStore, tmp_path: Path) -> None:
    config = training.config(data, run={"epochs": 1})
    run = training.prepared(config, data, tmp_path / "run")
    done = Training(config, data, run).run()
    key = f"{done.checkpoint}/open_clip_model.safetensors"
    data_bytes = bytearray(run.read(key))
    data_bytes[-1] ^= 1
    run.write(key, bytes(data_bytes))
    with pytest.raises(ConfigError, match="sha256"):
        Training(config, data, run)


def test_too_few_rows_for_a_batch_say_so(data: ObjectStore, tmp_path: Path) -> None:
    config = training.config(data, run={"global_batch": 64})
    run = training.prepared(config, data, tmp_path / "run")
    with pytest.raises(ConfigError, match="48 training rows give no batch of 64"):
        Training(config, data, run)


def test_only_the_newest_checkpoints_stay(data: ObjectStore, tmp_path: Path) -> None:
    config = training.config(data, run={"keep_checkpoints": 2})
    run = training.prepared(config, data, tmp_path / "run")
    Training(config, data, run).run()
    kept = sorted({key.split("/")[1] for key in run.keys("checkpoints")})
    assert kept == ["step-000000010", "step-000000012"]
