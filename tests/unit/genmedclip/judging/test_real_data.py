"""Real pictures and a real open_clip model go the whole way; skips say what is missing."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from medpipe.genmedclip.judging.cache import Cache
from medpipe.genmedclip.judging.contract import Embedder
from medpipe.genmedclip.judging.judge import JudgeConfig, judge
from medpipe.genmedclip.judging.registry import ClassSpec, DatasetSpec, Suite
from medpipe.genmedclip.judging.zero_shot import prompts_of
from medpipe.storage import open_store
from tests.support.colours import ColourModel, ConstantModel, spotted
from tests.support.testsets import png, spec, write_parquet

REAL = Path(__file__).parents[4].parent / "shared" / "data"
KINDS = {
    "AbdomenCT": "abdominal CT",
    "BreastMRI": "breast MRI",
    "CXR": "chest x-ray",
    "ChestCT": "chest CT",
    "Hand": "hand x-ray",
    "HeadCT": "head CT",
}
CONFIG = JudgeConfig(rounds=40, probes=None)


def real(name: str) -> Path:
    path = REAL / name
    if not path.is_file():
        pytest.skip(f"real pictures: put {name} into ../shared/data (see its SOURCES.md)")
    return path


def suite(*datasets: DatasetSpec) -> Suite:
    return Suite(name="real", version="1", title="Real pictures", datasets=datasets)


@pytest.fixture(scope="module")
def tiny() -> Embedder:
    pytest.importorskip("open_clip", reason="pip install 'medpipe[train]'")
    from medpipe.genmedclip.models import load

    return load("tiny")


def test_kinds_of_scans_are_learned_by_a_probe_and_not_guessed_by_a_blind_model(
    tmp_path: Path,
) -> None:
    rows = pq.read_table(real("medical_mnist.parquet")).to_pylist()
    parts = {"test": rows[3::30], "train": rows[4::30]}
    write_parquet(
        tmp_path / "scans.parquet", [{**r, "part": p} for p, some in parts.items() for r in some]
    )
    dataset = spec(
        {
            "type": "parquet", "uri": "scans.parquet", "label": "label",
            "split_column": "part", "split": "test", "train_split": "train",
        },
        classes=[{"name": text, "value": value} for value, text in KINDS.items()],
        templates=["a {}", "{} of a patient"],
    )  # fmt: skip
    how = {"out": str(tmp_path / "out"), "cache": str(tmp_path / "c"), "data": str(tmp_path)}
    config = JudgeConfig(rounds=40, pictures=False)

    knows, blind = judge(
        [ColourModel(), ConstantModel("blind")], suite(dataset), config=config, **how
    ).judged

    probe = knows.probes[0].value
    assert blind.figures["accuracy"].value == pytest.approx(1 / 6)
    assert probe is not None
    assert probe > 0.4
    assert knows.n == 120


def test_retrieval_over_real_questions_stands_beside_chance(tmp_path: Path, tiny: Embedder) -> None:
    rows = pq.read_table(real("vqa_rad.parquet")).to_pylist()[:40]
    write_parquet(
        tmp_path / "vqa.parquet",
        [
            {
                "image": r["image"],
                "texts": [f"{q['question']} {q['answer']}" for q in json.loads(r["qa"])],
            }
            for r in rows
        ],
    )
    dataset = spec({"type": "parquet", "uri": "vqa.parquet", "text": "texts"}, "retrieval")
    how = {"out": str(tmp_path / "out"), "cache": str(tmp_path / "c"), "data": str(tmp_path)}

    [judged] = judge([tiny], suite(dataset), config=CONFIG, **how).judged

    # Weights that learned nothing: near chance, and chance is what the pool makes it.
    chance = judged.chance["text_to_image_r1"]
    found = judged.figures["text_to_image_r1"]
    assert chance == pytest.approx(1 / 40, abs=0.01)
    assert found.low is not None
    assert found.low < 0.15


def test_a_real_clip_points_classifies_and_keeps_its_embeddings(
    tmp_path: Path, tiny: Embedder
) -> None:
    boxes = [(0.0, 0.0, 0.3, 0.3), (0.6, 0.6, 0.9, 0.9), (0.1, 0.5, 0.4, 0.8)]
    write_parquet(
        tmp_path / "boxes.parquet",
        [
            {"image": {"bytes": png(spotted(c, b))}, "text": f"a {c} spot", "box": list(b), "c": c}
            for c, b in zip(["red", "green", "blue"], boxes, strict=True)
        ],
    )
    table = {"type": "parquet", "uri": "boxes.parquet"}
    sets = (
        spec({**table, "text": "text", "box": "box"}, "grounding", name="boxes"),
        spec({**table, "label": "c"}, name="kinds"),
    )
    how = {"out": str(tmp_path / "out"), "cache": str(tmp_path / "c"), "data": str(tmp_path)}

    first = judge([tiny], suite(*sets), config=CONFIG, **how)
    again = judge([tiny], suite(*sets), config=CONFIG, **how)

    pointing, kinds = first.judged
    assert first == again
    assert 0 <= (pointing.figures["inside_mass"].value or 0) <= 1
    assert set(pointing.centre) == set(pointing.figures)
    assert np.isclose(sum(b.weight for b in kinds.reliability), 3)
    assert list((tmp_path / "c" / "images" / tiny.fingerprint).glob("*.parquet"))


def test_classes_are_embedded_as_open_clip_embeds_them(tmp_path: Path) -> None:
    open_clip = pytest.importorskip("open_clip", reason="pip install 'medpipe[train]'")
    from medpipe.genmedclip.config import ModelConfig
    from medpipe.genmedclip.models import Clip, build

    built = build(ModelConfig(name="tiny"))
    templates = ("a scan of {}", "{} of a patient", "this is {}")
    classes = tuple(ClassSpec(name=name) for name in KINDS.values())

    ours = prompts_of(
        Clip(built, "tiny"), classes, templates, Cache(open_store(str(tmp_path)))
    ).together
    theirs = open_clip.build_zero_shot_classifier(
        built.model.eval(), built.tokenize, list(KINDS.values()), [t.format for t in templates]
    )

    assert np.allclose(ours, theirs.numpy().T, atol=1e-5)
