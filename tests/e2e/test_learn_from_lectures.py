"""From lectures to a judged model by the commands alone: curate, train, evaluate."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

pytest.importorskip("torch", reason="pip install 'medpipe[train]'")
pytest.importorskip("piper", reason="pip install 'medpipe[dev]'")

from benchmarks.end_to_end import curated, film, judged, trained, written_suite
from benchmarks.lectures.cases import Case
from benchmarks.lectures.pictures import picture
from medpipe.genmedclip.judging.registry import ClassSpec, DatasetSpec, ParquetSource

pytestmark = [pytest.mark.ray, pytest.mark.timeout(600)]

SIDE_PX, A_CLASS = 96, 8
SAID = {
    "fundus": (
        ("Here is the retina of this eye.", "the retina"),
        ("Look at the vessels of the retina.", "the vessels"),
    ),
    "histology": (
        ("Under the microscope we see this tissue.", "this tissue"),
        ("Look at the tissue with brown stain.", "brown stain"),
    ),
    "head_ct": (
        ("Here is the skull with the brain.", "the skull"),
        ("Look at the brain in this head.", "the brain"),
    ),
}
CLASSES = {
    "fundus": "retina of the eye",
    "histology": "stained tissue",
    "head_ct": "brain in the head",
}


def crops(name: str, *, held_back: bool) -> Iterator[bytes]:
    """Turned and mirrored parts of a picture: of its left for training, of its right for tests."""
    rgb = picture(name).load(0)
    half = np.array_split(rgb, 2, axis=1)[int(held_back)]
    random = np.random.default_rng([len(name), held_back])
    side = round(0.75 * min(half.shape[:2]))
    for _ in range(A_CLASS * (3 if held_back else 1)):
        y, x = (int(random.integers(size - side + 1)) for size in half.shape[:2])
        part = np.rot90(half[y : y + side, x : x + side], int(random.integers(4)))
        small = cv2.resize(part, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)
        ok, encoded = cv2.imencode(".png", small[..., ::-1])
        assert ok
        yield encoded.tobytes()


def cases(folder: Path) -> list[Case]:
    """The training parts as files with what is said about them, classes in turn."""
    made = []
    for name in SAID:
        for number, image in enumerate(crops(name, held_back=False)):
            path = folder / f"{name}-{number}.png"
            path.write_bytes(image)
            made.append((number, Case(path, *SAID[name][number % len(SAID[name])])))
    return [case for _, case in sorted(made, key=lambda one: one[0])]


def question() -> DatasetSpec:
    """Zero-shot by templates that no teacher said."""
    return DatasetSpec(
        name="parts", title="Parts", domain="general", task="zero_shot",
        source=ParquetSource(type="parquet", uri="parts.parquet", label="label"),
        classes=tuple(ClassSpec(name=n, prompts=(p,), value=n) for n, p in CLASSES.items()),
        templates=("a {}", "an image of {}"), primary_metric="accuracy",
        licence="as the packages say", citation="scikit-image, pydicom", how_to_get="pip",
    )  # fmt: skip


def test_a_model_learns_its_classes_from_what_was_heard_in_lectures(tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    film(cases(pictures), tmp_path / "lectures", a_lecture=A_CLASS * len(SAID) // 2)
    held_back = [(image, name) for name in SAID for image in crops(name, held_back=True)]

    walk = curated(tmp_path / "lectures", tmp_path / "data")
    trained(tmp_path / "data", tmp_path / "run", seed=0, epochs=60, global_batch=12)
    suite = written_suite(question(), held_back, tmp_path / "suite")
    shown: dict[str, Any] = judged(tmp_path / "run", suite, tmp_path / "data")

    assert walk["items"] == 2
    assert walk["samples"] >= 0.9 * A_CLASS * len(SAID), walk
    assert walk["narrations"]["medical"] >= walk["samples"]
    assert walk["with_boxes"] > 0
    assert walk["truth"]["wer"] < 0.1
    # The leak check takes out what is near-equal to a picture that was learned from.
    assert 0.95 * len(held_back) <= shown["n"] <= len(held_back)
    assert shown["chance"] == pytest.approx(1 / len(SAID))
    assert shown["accuracy"]["low"] > shown["chance"], shown
