"""Settings: where they come from, who wins, and what a wrong one says."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError
from ray._common.ray_option_utils import validate_label_selector

from medpipe.config import MedpipeConfig, load_config, recipe_names
from medpipe.errors import ConfigError

NO_ENV: dict[str, str] = {}


def recipe(tmp_path: Path, text: str) -> str:
    path = tmp_path / "mine.yaml"
    path.write_text(text, "utf-8")
    return str(path)


def problem(
    recipe: str | None = None, overrides: tuple[str, ...] = (), environ: dict[str, str] = NO_ENV
) -> str:
    with pytest.raises(ConfigError) as error:
        load_config(recipe, overrides, environ)
    return str(error.value)


def test_later_sources_win(tmp_path: Path) -> None:
    mine = recipe(tmp_path, "runtime: {lease_s: 10, commit_s: 10, commit_items: 10}")
    environ = {"MEDPIPE_RUNTIME__COMMIT_S": "20", "MEDPIPE_RUNTIME__COMMIT_ITEMS": "20"}

    runtime = load_config(mine, ["runtime.commit_items=30"], environ).runtime

    assert (runtime.lease_s, runtime.commit_s, runtime.commit_items) == (10, 20, 30)
    assert runtime.extract_cpus == MedpipeConfig().runtime.extract_cpus


def test_without_any_source_the_defaults_stand() -> None:
    assert load_config(environ=NO_ENV) == MedpipeConfig()


def test_the_process_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDPIPE_SCHEDULING__RETRY__TRANSIENT_TRIES", "7")

    assert load_config().scheduling.retry.transient_tries == 7


def test_variables_of_others_are_left_alone() -> None:
    environ = {"MEDPIPE_SOAK": "full", "MEDPIPE_NO_SKIP": "x", "PATH": "/bin", "medpipe_x__y": "1"}

    assert load_config(environ=environ) == MedpipeConfig()


def test_values_are_yaml() -> None:
    config = load_config(
        overrides=["extract.threads=2", "acquire.require_audio=no", "transcribe.language=null"],
        environ=NO_ENV,
    )

    assert config.extract.threads == 2
    assert config.acquire.require_audio is False
    assert config.transcribe.language is None


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("extract.thread=2", r"extract.thread: there is no such setting; did you mean 'threads'?"),
        ("extrakt.threads=2", "extrakt: there is no such setting; did you mean 'extract'?"),
        ("scheduling.retry.bug_trys=2", "did you mean 'bug_tries'?"),
        ("extract.zzzzzz=2", "extract.zzzzzz: there is no such setting"),
        ("extract.threads=0", "extract.threads: "),
        ("extract.threads=many", "extract.threads: "),
        ("extract.threads", "override 'extract.threads' has no '='; write room.field=value"),
        ("extract.threads=[1", "extract.threads is no YAML"),
        ("extract=3", "extract: "),
    ],
)
def test_a_wrong_override_is_named_with_what_may_help(override: str, said: str) -> None:
    assert said in problem(overrides=(override,))


def test_a_misspelt_variable_is_an_error_with_a_proposal() -> None:
    said = problem(environ={"MEDPIPE_RUNTIME__LEESE_S": "3"})

    assert "runtime.leese_s" in said
    assert "did you mean 'lease_s'?" in said
    assert "runtme" in problem(environ={"MEDPIPE_RUNTME__LEASE_S": "3"})
    assert "MEDPIPE_RUNTIME__LEASE_S is no YAML" in problem(
        environ={"MEDPIPE_RUNTIME__LEASE_S": "[1"}
    )


def test_all_problems_are_told_at_once() -> None:
    said = problem(overrides=("extract.threads=0", "runtime.lease_s=0", "align.nothing=1"))

    assert len(said.splitlines()) == 3


@pytest.mark.parametrize("text", ["runtime: {lease_s: 3", "a: b: c", "\t- x"])
def test_a_recipe_that_is_no_yaml_is_named(tmp_path: Path, text: str) -> None:
    assert "mine.yaml is no YAML" in problem(recipe(tmp_path, text))


@pytest.mark.parametrize("text", ["- runtime", "42", "just words"])
def test_a_recipe_is_a_mapping_of_rooms(tmp_path: Path, text: str) -> None:
    assert "must be a mapping of rooms to settings" in problem(recipe(tmp_path, text))


def test_a_setting_below_a_value_is_an_error(tmp_path: Path) -> None:
    mine = recipe(tmp_path, "runtime: 3")

    assert "runtime is a value, not a group" in problem(mine, ("runtime.lease_s=3",))


def test_an_empty_recipe_changes_nothing(tmp_path: Path) -> None:
    assert load_config(recipe(tmp_path, "# nothing\n"), environ=NO_ENV) == MedpipeConfig()


@pytest.mark.parametrize("missing", ["dmeo", "/no/such/file.yaml", "/"])
def test_a_missing_recipe_lists_those_that_are_there(missing: str) -> None:
    said = problem(missing)

    assert missing in said
    assert all(name in said for name in recipe_names())


def test_a_recipe_in_another_encoding_is_a_config_error(tmp_path: Path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes(b"# caf\xe9\n")

    assert "latin.yaml" in problem(str(path))


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_loads(name: str) -> None:
    assert load_config(name, environ=NO_ENV) != MedpipeConfig()


def test_the_demo_recipe_is_there() -> None:
    assert "demo" in recipe_names()


@pytest.mark.parametrize(
    "override",
    [
        "runtime.extract_workers=3",
        "runtime.lease_s=7",
        "fetch.max_bytes=1000",
        "fetch.user_agent=me",
        "scheduling.items_in_flight=2",
        "scheduling.retry.transient_tries=9",
        "storage.endpoint_url=http://127.0.0.1:9000",
        "transcribe.cpu_threads=4",
        "transcribe.device=cpu",
        "transcribe.allow_download=true",
    ],
)
def test_pace_and_place_do_not_change_the_hash_of_rows(override: str) -> None:
    changed = load_config(overrides=[override], environ=NO_ENV)

    assert changed != MedpipeConfig()
    assert changed.rows_hash() == MedpipeConfig().rows_hash()


@pytest.mark.parametrize(
    "override",
    [
        "acquire.min_duration_s=2",
        "transcribe.beam_size=1",
        "transcribe.vad.threshold=0.4",
        "extract.samples_per_s=12",
        "classify.min_contrast=5",
        "image.quality=90",
        "image.format=png",
        "align.boxes=kmeans",
        "clips.enabled=true",
        "runtime.audio_block_s=60",
    ],
)
def test_what_shapes_rows_changes_their_hash(override: str) -> None:
    changed = load_config(overrides=[override], environ=NO_ENV)

    assert changed.rows_hash() != MedpipeConfig().rows_hash()


def test_how_clips_would_be_cut_shapes_no_row_while_none_are() -> None:
    changed = load_config(overrides=["clips.crf=30"], environ=NO_ENV)

    assert changed.rows_hash() == MedpipeConfig().rows_hash()


def test_the_hash_of_rows_is_short_and_the_same_each_time() -> None:
    assert MedpipeConfig().rows_hash() == MedpipeConfig().rows_hash()
    assert len(MedpipeConfig().rows_hash()) == 16
    assert int(MedpipeConfig().rows_hash(), 16) >= 0


def test_a_config_cannot_be_changed_in_place() -> None:
    config = MedpipeConfig()

    with pytest.raises(ValidationError, match="frozen"):
        config.runtime.lease_s = 3  # type: ignore[misc]
    with pytest.raises(ValidationError, match="frozen"):
        config.extract = config.extract  # type: ignore[misc]


@pytest.mark.parametrize("name", ["tier", "ray.io/accelerator-type", "a-b.example/c_d.e"])
@pytest.mark.parametrize("wanted", ["L4", "!spot", "in(L4, A100)", "!in(a,b)", "v" * 63])
def test_a_label_that_is_taken_is_one_that_ray_takes(name: str, wanted: str) -> None:
    text = json.dumps({name: wanted})
    config = load_config(overrides=[f"runtime.extract_labels={text}"], environ=NO_ENV)

    assert config.runtime.extract_labels == {name: wanted}
    assert validate_label_selector(config.runtime.extract_labels) is None


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("", "L4"),
        ("-tier", "L4"),
        ("a/b/c", "L4"),
        ("a_b/c", "L4"),
        ("tier\n", "L4"),
        ("n" * 64, "L4"),
        ("a." * 120 + "!/x", "L4"),  # keeps Ray's own check busy for longer than anybody lives
        ("tier", ""),
        ("tier", "L4\n"),
        ("tier", "L4 A100"),
        ("tier", "in()"),
        ("tier", "in(L4"),
        ("tier", "!!L4"),
        ("tier", "$(reboot)"),
        ("tier", "v" * 64),
        ("tier", "in(" + ", ".join(["a"] * 1000) + ")"),
    ],
)
def test_a_label_that_ray_would_not_take_is_refused(name: str, wanted: str) -> None:
    text = json.dumps({name: wanted})

    with pytest.raises(ConfigError, match=r"runtime\.write_labels") as caught:
        load_config(overrides=[f"runtime.write_labels={text}"], environ=NO_ENV)

    assert len(str(caught.value)) < 300


def test_a_secret_is_not_shown(tmp_path: Path) -> None:
    config = load_config(overrides=["fetch.proxy=http://me:hunter2@proxy:1"], environ=NO_ENV)

    assert "hunter2" not in repr(config)
    assert "hunter2" not in config.model_dump_json()
