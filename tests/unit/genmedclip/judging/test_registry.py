"""The registry: the shipped suite covers the twelve domains, and wrong files say what is wrong."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from medpipe.errors import ConfigError
from medpipe.genmedclip.judging.registry import Suite, load_dataset, load_suite, suite_names
from medpipe.genmedclip.judging.reported import figures, version
from medpipe.records import Domain
from tests.support.testsets import spec

FOLDER = {"type": "folder", "uri": "x"}
MEDMNIST = {
    "pathmnist", "chestmnist", "dermamnist", "octmnist", "pneumoniamnist", "retinamnist",
    "breastmnist", "bloodmnist", "tissuemnist", "organamnist", "organcmnist", "organsmnist",
}  # fmt: skip


def dumped(folder: Path, name: str, tree: Any) -> Path:
    path = folder / name
    path.write_text(yaml.safe_dump(tree), "utf-8")
    return path


def tree(**changed: Any) -> dict[str, Any]:
    return spec(FOLDER).model_dump(mode="json", exclude_defaults=True) | changed


def test_the_shipped_suite_has_test_sets_for_each_of_twelve_domains() -> None:
    suite = load_suite("medical12")

    assert {d.domain for d in suite.datasets} == set(Domain) - {Domain.OTHER}
    assert {d.name for d in suite.datasets} >= MEDMNIST


def test_every_shipped_test_set_says_licence_source_and_how_to_get_it() -> None:
    for name in suite_names():
        for dataset in load_suite(name).datasets:
            assert dataset.licence
            assert dataset.citation
            assert len(dataset.how_to_get) > 30
            assert not dataset.source.uri.startswith("/")


def test_a_suite_lists_shipped_sets_files_beside_it_and_sets_in_full(tmp_path: Path) -> None:
    dumped(tmp_path, "own.yaml", tree(name="own"))
    suite = dumped(
        tmp_path,
        "suite.yaml",
        {
            "name": "mine",
            "version": "3",
            "title": "Mine",
            "datasets": ["bach", "own.yaml", tree(name="inline")],
        },
    )

    assert [d.name for d in load_suite(suite).datasets] == ["bach", "own", "inline"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"colour": "red"}, "colour"),
        ({"domain": "astronomy"}, "domain"),
        ({"domain": "other"}, "twelve"),
        ({"primary_metric": "pointing"}, "zero_shot has balanced_accuracy"),
        ({"templates": ["a picture"]}, "needs {}"),
        ({"templates": []}, "needs templates"),
        ({"classes": [{"name": "one"}]}, "two classes"),
        ({"classes": [{"name": "one"}, {"name": "one"}]}, "share a name"),
        ({"source": {"type": "ftp", "uri": "x"}}, "ftp"),
        ({"source": {**FOLDER, "sha256": "abc"}}, "sha256"),
        ({"source": {**FOLDER, "group_pattern": "^patient"}}, "group"),
        ({"task": "retrieval", "primary_metric": "r10_mean"}, "takes no classes"),
        ({"name": "../evil"}, "name"),
        ({"licence": ""}, "licence"),
    ],
)  # fmt: skip
def test_a_wrong_test_set_is_refused_with_the_reason(
    tmp_path: Path, changed: dict[str, Any], said: str
) -> None:
    path = dumped(
        tmp_path,
        "suite.yaml",
        {"name": "s", "version": "1", "title": "S", "datasets": [tree(**changed)]},
    )

    with pytest.raises(ConfigError, match=said):
        load_suite(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[", "no YAML"),
        ("- 1", "mapping"),
        ("name: s\nversion: '1'\ntitle: S\n", "datasets"),
        ("name: s\nversion: '1'\ntitle: S\ndatasets: [3]\n", "a name, a path or a mapping"),
        ("name: s\nversion: '1'\ntitle: S\ndatasets: [nowhere]\n", "no dataset 'nowhere'"),
        ("name: s\nversion: '1'\ntitle: S\ndatasets: [bach, bach]\n", "listed twice: bach"),
        ("name: s\nversion: '1'\ntitle: !!python/object:os.system x\ndatasets: [bach]", "no YAML"),
    ],
)
def test_a_wrong_suite_is_refused_with_the_reason(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "suite.yaml"
    path.write_text(text, "utf-8")

    with pytest.raises(ConfigError, match=said):
        load_suite(path)


def test_an_unknown_suite_names_those_there_are() -> None:
    with pytest.raises(ConfigError, match="medical12"):
        load_suite("medical13")


def test_a_class_is_known_by_value_name_or_position() -> None:
    found = spec(
        FOLDER, classes=[{"name": "red", "value": "R"}, {"name": "green"}, {"name": "blue"}]
    ).label_positions()

    assert found == {"R": 0, "green": 1, "blue": 2, "1": 1, "2": 2}


def test_reported_figures_carry_a_citation() -> None:
    assert len(figures()) > 20
    assert all(len(figure.citation) > 20 for figure in figures())
    assert version()


def test_a_test_set_is_loaded_from_its_own_file(tmp_path: Path) -> None:
    dumped(tmp_path, "own.yaml", tree(name="own"))

    assert load_dataset(tmp_path / "own.yaml").name == "own"
    with pytest.raises(ConfigError, match="no dataset"):
        load_dataset(tmp_path / "other.yaml")


def test_a_suite_travels_as_json() -> None:
    suite = load_suite("medical12")

    assert Suite.model_validate_json(suite.model_dump_json()) == suite
