"""The whole judgement: figures beside chance, what is missing, what leaked, who is better."""

import json
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medpipe.dataset import Committer, write_item
from medpipe.errors import ConfigError
from medpipe.genmedclip.judging.inspecting import inspect
from medpipe.genmedclip.judging.judge import JudgeConfig, judge
from medpipe.genmedclip.judging.pictures import hashes
from medpipe.genmedclip.judging.probes import ProbeConfig
from medpipe.genmedclip.judging.registry import DatasetSpec, Suite, load_suite
from medpipe.genmedclip.judging.results import Judged, Results
from medpipe.records import Domain
from medpipe.storage import StorageConfig, open_store
from tests.support.colours import COLOURS, ColourModel, ConstantModel, painted, spotted
from tests.support.rows import put_item, rows_of
from tests.support.s3 import KEYS, make_bucket, s3_server
from tests.support.testsets import CLASSES, pictures, png, spec, write_folder, write_parquet

QUICK = JudgeConfig(rounds=60, probes=None, pictures=False)
BOXES = [(0.0, 0.0, 0.25, 0.25), (0.7, 0.1, 0.95, 0.4), (0.1, 0.6, 0.4, 0.9), (0.6, 0.7, 1.0, 1.0)]


def named(name: str, source: dict[str, Any], task: str = "zero_shot", **how: Any) -> DatasetSpec:
    return spec(source, task, name=name, **how)


def suite(*datasets: DatasetSpec) -> Suite:
    return Suite(name="mine", version="1", title="Mine", datasets=datasets)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A set for each task."""
    root = tmp_path / "data"
    write_folder(root / "classes/test", pictures(12))
    write_folder(root / "classes/train", pictures(8, first=100))
    names = list(COLOURS)
    write_parquet(
        root / "captions.parquet",
        [
            {
                "image": {"bytes": png(painted(c, seed=i))},
                "text": f"{c} picture",
                "who": f"p{i // 2}",
            }
            for i, c in enumerate(names * 3)
        ],
    )
    write_parquet(
        root / "boxes.parquet",
        [
            {"image": {"bytes": png(spotted(c, box))}, "text": f"a {c} spot", "box": list(box)}
            for c, box in zip(["red", "green", "blue", "black"], BOXES, strict=True)
        ],
    )
    write_parquet(
        root / "several.parquet",
        [
            {
                "image": {"bytes": png(np.hstack([painted(a, seed=i), painted(b, seed=i + 9)]))},
                "has": [a, b],
            }
            for i, (a, b) in enumerate([("red", "green"), ("blue", "red"), ("green", "blue")] * 4)
        ],
    )
    return root


CLASSES_SET = named(
    "classes", {"type": "folder", "uri": "classes", "split": "test", "train_split": "train"}
)
CAPTIONS = named(
    "captions",
    {"type": "parquet", "uri": "captions.parquet", "text": "text", "group": "who"},
    "retrieval",
)
BOXED = named(
    "boxes", {"type": "parquet", "uri": "boxes.parquet", "text": "text", "box": "box"}, "grounding"
)
SEVERAL = named(
    "several",
    {"type": "parquet", "uri": "several.parquet", "label": "has"},
    "multi_label",
    domain="ct",
)
GONE = named("gone", {"type": "folder", "uri": "gone"}, domain="xray", how_to_get="ask nicely")


def run(data: Path, *datasets: DatasetSpec, models: Any = None, **how: Any) -> Results:
    root = data.parent
    return judge(
        models or [ColourModel()],
        suite(*datasets),
        out=str(how.pop("out", root / "out")),
        cache=str(how.pop("cache", root / "cache")),
        data=str(data),
        config=how.pop("config", QUICK),
        **how,
    )


def of(results: Results, model: str, dataset: str) -> Judged:
    return next(j for j in results.judged if (j.model, j.dataset) == (model, dataset))


def value(judged: Judged, metric: str) -> float:
    found = judged.figures[metric].value
    assert found is not None
    return found


def test_a_model_that_knows_is_right_and_one_that_does_not_gets_chance(data: Path) -> None:
    sets = (CLASSES_SET, CAPTIONS, BOXED, SEVERAL)
    results = run(data, *sets, models=[ColourModel(), ConstantModel("blind")])

    knows = {d.name: of(results, "colours", d.name) for d in sets}
    assert value(knows["classes"], "accuracy") == 1
    assert value(knows["several"], "auroc") > 0.95
    assert value(knows["captions"], "image_to_text_r1") > 0.9
    assert value(knows["boxes"], "pointing") == 1
    for dataset in sets:
        blind = of(results, "blind", dataset.name)
        for metric, chance in blind.chance.items():
            assert value(blind, metric) == pytest.approx(chance, abs=1e-6), (dataset.name, metric)


def test_looking_where_the_teacher_pointed_beats_looking_at_the_middle(data: Path) -> None:
    judged = of(run(data, BOXED), "colours", "boxes")

    assert value(judged, "pointing") > judged.centre["pointing"] >= 0
    assert value(judged, "inside_mass") > 3 * judged.centre["inside_mass"]
    assert judged.n == len(BOXES)


def test_what_is_not_there_is_said_and_is_in_no_mean(data: Path) -> None:
    with_gone = run(data, CLASSES_SET, GONE)
    without = run(data, CLASSES_SET)

    [absent] = with_gone.absent
    assert (absent.dataset, absent.reason, absent.how_to_get) == (
        "gone",
        "not_present",
        "ask nicely",
    )
    rows = {row.domain: row for row in with_gone.domains}
    assert rows[Domain.XRAY].figure is None
    assert (rows[Domain.XRAY].present, rows[Domain.XRAY].listed) == (0, 1)
    assert (rows[None].present, rows[None].listed) == (1, 12)
    assert rows[None].figure == next(r for r in without.domains if r.domain is None).figure


def test_a_set_that_cannot_be_read_costs_itself_only(data: Path) -> None:
    (data / "torn.npz").write_bytes(b"no archive")

    results = run(data, named("torn", {"type": "npz", "uri": "torn.npz"}), CLASSES_SET)

    assert [(a.dataset, a.reason) for a in results.absent] == [("torn", "unreadable_dataset")]
    assert value(of(results, "colours", "classes"), "accuracy") == 1


def test_domain_means_are_means_over_sets_and_then_over_domains(data: Path) -> None:
    write_folder(data / "odd/red", [("red", painted("blue", seed=i)) for i in range(4)])
    write_folder(data / "odd", [("green", painted("blue", seed=i)) for i in range(4)])
    wrong = named("odd", {"type": "folder", "uri": "odd"}, domain="general")
    other = named("other", {"type": "folder", "uri": "classes", "split": "test"}, domain="dental")

    rows = {r.domain: r for r in run(data, CLASSES_SET, wrong, other).domains}

    general, dental, mean = (rows[d].figure for d in (Domain.GENERAL, Domain.DENTAL, None))
    assert general is not None
    assert dental is not None
    assert mean is not None
    assert (general.value, dental.value, mean.value) == (0.5, 1.0, 0.75)
    assert rows[Domain.GENERAL].present == 2


def trained_on(root: Path, images: list[np.ndarray], exact: list[str]) -> str:
    """A dataset that holds these pictures, three samples a lecture."""
    store = open_store(str(root))
    hashed = [(f"{i:064x}", f"{hashes(image)[0]:016x}") for i, image in enumerate(images)]
    hashed += [(digest, "0123456789abcdef") for digest in exact]
    manifests = []
    for start in range(0, len(hashed), 3):
        rows = rows_of(f"file:{start}", samples=len(hashed[start : start + 3]))
        for row, (sha256, phash) in zip(rows["samples"], hashed[start:], strict=False):
            row |= {"sha256": sha256, "phash": phash}
        how = {"generation": 1, "config_hash": "c", "verdict": "done", "reason": None}
        manifests.append(write_item(store, rows, item_id=f"file:{start}", **how))
    Committer(store).commit(manifests)
    return str(root)


def test_pictures_seen_in_training_are_listed_and_left_out(data: Path) -> None:
    import hashlib

    shown = pictures(12)
    same = hashlib.sha256(png(shown[0][1])).hexdigest()
    mirrored = np.ascontiguousarray(shown[4][1][:, ::-1])
    train = trained_on(data.parent / "train", [shown[1][1], mirrored], [same])

    results = run(data, CLASSES_SET, train=train)

    [present] = results.present
    found = {leak.example: (leak.kind, leak.sample) for leak in present.leaks}
    assert found == {
        "red/p0_0.png": ("exact", "file:0#002"),
        "green/p0_1.png": ("near", "file:0#000"),
        "green/p2_4.png": ("mirrored", "file:0#001"),
    }
    judged = of(results, "colours", "classes")
    assert (judged.n, present.pictures) == (33, 36)
    assert judged.with_leaked["accuracy"] == 1
    assert results.trained_on == train


def test_leaked_pictures_move_the_figure_that_counts_them_in_alone(data: Path) -> None:
    # The model is wrong about exactly the leaked pictures: their labels were swapped.
    shown = [("red", painted("blue", seed=500 + i)) for i in range(3)]
    write_folder(data / "classes/test", shown)
    train = trained_on(data.parent / "train", [image for _, image in shown], [])

    judged = of(run(data, CLASSES_SET, train=train), "colours", "classes")

    assert value(judged, "accuracy") == 1
    assert judged.with_leaked["accuracy"] == pytest.approx((judged.n) / (judged.n + 3))


def test_a_set_that_leaked_whole_has_no_figure(data: Path) -> None:
    train = trained_on(data.parent / "train", [image for _, image in pictures(12)], [])

    results = run(data, CLASSES_SET, train=train)

    assert [(a.dataset, a.reason) for a in results.absent] == [("classes", "nothing_usable")]


def test_without_a_training_set_the_report_says_that_nobody_looked(data: Path) -> None:
    run(data, CLASSES_SET)

    assert "nobody looked for leaked" in (data.parent / "out/report.md").read_text()


def test_a_training_set_without_samples_is_refused(data: Path) -> None:
    with pytest.raises(ConfigError, match="holds no samples"):
        run(data, CLASSES_SET, train=str(data.parent / "empty"))


def test_models_are_compared_on_the_same_pictures(data: Path) -> None:
    models = [ColourModel("wrong", swap=True), ColourModel("right"), ColourModel("twin", swap=True)]

    results = run(data, CLASSES_SET, CAPTIONS, models=models)

    rows = {(c.first, c.second, c.dataset): c for c in results.comparisons}
    better, same = rows["wrong", "right", "classes"], rows["wrong", "twin", "classes"]
    assert better.difference.value is not None
    assert better.difference.value > 0.8
    assert better.p < 0.05
    assert better.p_holm is not None
    assert better.p_holm >= better.p
    # Twins differ in no resample, though each of them varies.
    assert (same.difference.value, same.difference.low, same.difference.high, same.p) == (
        0,
        0,
        0,
        1,
    )
    wrong = of(results, "wrong", "classes").figures["balanced_accuracy"]
    assert wrong.low is not None
    assert wrong.high is not None
    assert wrong.low < wrong.high
    means = [c.metric for c in results.comparisons if (c.first, c.dataset) == ("wrong", None)]
    assert means == ["balanced_accuracy", "r10_mean"] * 2


@pytest.mark.parametrize("names", [[], ["a", "a"]], ids=["none", "twice"])
def test_models_need_distinct_names(data: Path, names: list[str]) -> None:
    with pytest.raises(ConfigError, match="distinct names"):
        judge([ColourModel(n) for n in names], suite(CLASSES_SET), out=str(data), cache=str(data))


def test_judging_again_embeds_nothing_and_says_the_same(data: Path) -> None:
    sets = (CLASSES_SET, CAPTIONS, BOXED, SEVERAL, GONE)
    first, model = run(data, *sets, config=JudgeConfig(rounds=30)), ColourModel()

    again = run(
        data, *sets, models=[model], out=data.parent / "again", config=JudgeConfig(rounds=30)
    )

    assert model.images_seen == 0
    assert again == first
    reports = [(data.parent / out / "report.json").read_text() for out in ("out", "again")]
    assert reports[0] == reports[1]


def test_a_fresh_cache_gives_the_same_figures(data: Path) -> None:
    first = run(data, CLASSES_SET, CAPTIONS)

    again = run(data, CLASSES_SET, CAPTIONS, cache=data.parent / "other")

    assert again == first


def test_the_json_report_is_the_results(data: Path) -> None:
    results = run(data, CLASSES_SET, CAPTIONS, BOXED, SEVERAL, GONE)

    text = (data.parent / "out/report.json").read_text()
    assert Results.model_validate_json(text) == results
    assert "NaN" not in json.dumps(json.loads(text), allow_nan=False)


def test_probes_learn_from_the_training_split_alone(data: Path) -> None:
    config = JudgeConfig(rounds=30, pictures=False, probes=ProbeConfig(shots=(1, 4, 50), seeds=2))

    judged = of(run(data, CLASSES_SET, config=config), "colours", "classes")

    assert [p.shots for p in judged.probes] == [None, 1, 4]  # there are no 50 a class
    assert all(p.value is not None and p.value > 0.9 for p in judged.probes)
    assert judged.probes[1].seeds == 2


def test_a_prompt_that_misleads_shows_in_the_spread_of_templates(data: Path) -> None:
    plain = CLASSES_SET.model_copy(update={"templates": ("a {} thing", "some {} thing")})
    odd = CLASSES_SET.model_copy(
        update={"name": "odd", "templates": ("a {} thing", "green green green green not {}")}
    )

    results = run(data, plain, odd)

    steady, shaken = (of(results, "colours", n) for n in ("classes", "odd"))
    assert steady.template_std == 0
    assert shaken.template_std is not None
    assert [t.template for t in shaken.templates] == list(odd.templates)
    assert shaken.template_std > 0.1 or value(shaken, "ece") > value(steady, "ece")


def test_worst_confusions_name_the_classes_and_show_the_pictures(data: Path) -> None:
    config = JudgeConfig(rounds=20, probes=None)

    results = run(
        data, CLASSES_SET, BOXED, models=[ColourModel("swapped", swap=True)], config=config
    )

    worst = of(results, "swapped", "classes").confusions[0]
    assert worst.share == 1
    assert worst.true != worst.given
    assert {worst.true, worst.given} <= set(CLASSES)
    page = (data.parent / "out/report.html").read_text()
    assert f"{worst.true} taken for {worst.given}" in page
    assert page.count("data:image/jpeg;base64,") >= 3 + len(BOXES)


def test_accuracy_of_independent_pictures_has_wilsons_interval(data: Path) -> None:
    patients = named(
        "patients",
        {"type": "folder", "uri": "classes", "split": "test", "group_pattern": "^(p[0-9]+)_"},
    )

    results = run(data, CLASSES_SET, patients)

    alone, grouped = (of(results, "colours", n) for n in ("classes", "patients"))
    assert alone.figures["accuracy"].method == "wilson"
    assert alone.figures["accuracy"].low == pytest.approx(0.904, abs=1e-3)  # 36 of 36
    assert grouped.figures["accuracy"].method == "clustered bootstrap"


def test_what_speaks_for_absence_is_taken_off(data: Path) -> None:
    # Prompts of absence that name the class louder than those of presence.
    louder = {"templates": ("a {} thing",), "negative_templates": ("{} {} {}",)}

    judged = of(run(data, SEVERAL.model_copy(update=louder)), "colours", "several")

    assert value(judged, "auroc") < 0.1


def test_judging_loads_neither_ray_nor_torch() -> None:
    code = "import medpipe.genmedclip.judging.judge, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert not {"ray", "torch", "open_clip"} & {n.split(".")[0] for n in done.stdout.split()}


def test_importing_the_package_loads_no_statistics() -> None:
    code = "import medpipe, medpipe.genmedclip.judging, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert not {"sklearn", "scipy", "matplotlib"} & set(done.stdout.split())


def test_a_training_split_that_is_not_there_costs_the_probes_only(data: Path) -> None:
    source = {"type": "folder", "uri": "classes", "split": "test", "train_split": "nowhere"}
    config = JudgeConfig(rounds=20, pictures=False)

    judged = of(run(data, named("classes", source), config=config), "colours", "classes")

    assert value(judged, "accuracy") == 1
    assert judged.probes == ()
    assert "no linear probes" in judged.notes[0]


def test_retrieval_says_how_large_its_pool_is(data: Path) -> None:
    judged = of(run(data, CAPTIONS), "colours", "captions")

    assert (judged.n, judged.texts) == (18, len(COLOURS))
    assert "18 pictures, 6 texts" in (data.parent / "out/report.md").read_text()


def test_a_new_set_is_inspected_before_it_is_judged(data: Path) -> None:
    (data / "classes/test/red/torn.png").write_bytes(b"no picture")

    found = inspect(CLASSES_SET, str(data))

    assert found is not None
    assert (found.pictures, found.classes) == (36, dict.fromkeys(CLASSES, 12))
    assert found.dropped == {"broken_image": 1}
    assert found.example is not None
    assert found.example.startswith("red/torn.png")
    sealed = {**CLASSES_SET.source.model_dump(), "sha256": found.sha256}
    assert inspect(named("classes", sealed), str(data)) == found
    assert inspect(GONE, str(data)) is None


def test_reading_an_archive_takes_no_more_memory_than_a_few_pictures(data: Path) -> None:
    dark = np.zeros((300, 224, 224, 3), np.uint8)  # 45 MB
    np.savez_compressed(data / "dark.npz", images=dark, labels=np.zeros((300, 1), np.uint8))
    dataset = named("dark", {"type": "npz", "uri": "dark.npz"})
    del dark

    tracemalloc.start()
    found = inspect(dataset, str(data))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert found is not None
    assert found.pictures == 300
    assert peak < 8 << 20


def test_the_shipped_suite_without_its_data_is_a_list_of_what_to_get(tmp_path: Path) -> None:
    shipped = load_suite("medical12")
    (tmp_path / "data").mkdir()

    results = judge(
        [ColourModel()],
        shipped,
        out=str(tmp_path / "out"),
        cache=str(tmp_path / "cache"),
        data=str(tmp_path / "data"),
        config=QUICK,
    )

    assert {a.dataset for a in results.absent} == {d.name for d in shipped.datasets}
    assert {a.reason for a in results.absent} == {"not_present"}
    assert all(row.figure is None for row in results.domains)
    page = (tmp_path / "out/report.html").read_text("utf-8")
    assert all(d.name in page for d in shipped.datasets)


def test_a_shipped_set_is_judged_once_its_file_is_in_its_place(tmp_path: Path) -> None:
    [retina] = [d for d in load_suite("medical12").datasets if d.name == "retinamnist"]
    random = np.random.default_rng(0)
    arrays = {
        f"{split}_{part}": values
        for split, n in (("test", 20), ("train", 40))
        for part, values in (
            ("images", random.integers(0, 255, (n, 28, 28, 3)).astype(np.uint8)),
            ("labels", (np.arange(n) % 5)[:, None].astype(np.uint8)),
        )
    }
    (tmp_path / "data/medmnist").mkdir(parents=True)
    np.savez(tmp_path / "data/medmnist/retinamnist_224.npz", **arrays)
    config = JudgeConfig(rounds=20, probes=ProbeConfig(shots=(1,), seeds=2), pictures=False)

    judged = of(run(tmp_path / "data", retina, config=config), "colours", "retinamnist")

    assert judged.n == 20
    assert judged.chance["balanced_accuracy"] == 0.2
    assert [p.shots for p in judged.probes] == [None, 1]


def test_a_dataset_of_ours_is_judged_by_where_its_teacher_pointed(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "data/lectures"))
    Committer(store).commit([put_item(store, "file:a"), put_item(store, "file:b")])
    dataset = named("lectures", {"type": "medpipe", "uri": "lectures"}, "grounding")

    results = run(tmp_path / "data", dataset, config=JudgeConfig(rounds=20))

    judged = of(results, "colours", "lectures")
    assert judged.n == 4
    assert judged.figures["pointing"].method == "clustered bootstrap"
    assert judged.chance["pointing"] == pytest.approx(1 / 16, abs=0.01)
    assert results.present[0].groups == 2
    page = (tmp_path / "out/report.html").read_text("utf-8")
    assert page.count("“this opacity”") >= 4


def test_everything_may_lie_in_a_bucket(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, key in KEYS.items():
        monkeypatch.setenv(name, key)
    with s3_server(data.parent / "s3.log") as url:
        make_bucket(url, "judge")
        storage = StorageConfig(endpoint_url=url)
        store = open_store("s3://judge/data", storage)
        for path in (p for p in data.rglob("*") if p.is_file()):
            store.write(path.relative_to(data).as_posix(), path.read_bytes())
        local = run(data, CLASSES_SET, CAPTIONS, BOXED)

        remote = judge(
            [ColourModel()],
            suite(CLASSES_SET, CAPTIONS, BOXED),
            out="s3://judge/out",
            cache="s3://judge/cache",
            data="s3://judge/data",
            config=QUICK,
            storage=storage,
        )

        assert remote == local
        written = set(open_store("s3://judge", storage).keys("out"))
        assert {"out/report.json", "out/report.md", "out/report.html"} <= written


def test_a_figure_that_a_set_cannot_give_is_none_and_the_rest_stand(data: Path) -> None:
    one = named("one", {"type": "folder", "uri": "one"})
    none = named("none", {"type": "parquet", "uri": "none.parquet", "label": "has"}, "multi_label")
    write_folder(data / "one", [("red", painted("red", seed=i)) for i in range(5)])
    image = {"bytes": png(painted("red"))}
    write_parquet(data / "none.parquet", [{"image": image, "has": ["mauve"]}] * 3)

    results = run(data, one, none)

    reds, nothing = (of(results, "colours", n) for n in ("one", "none"))
    assert (value(reds, "accuracy"), reds.figures["auroc"].value) == (1, None)
    assert nothing.figures["auroc"].value is None
    assert nothing.chance == {"auroc": 0.5}
    text = (data.parent / "out/report.json").read_text()
    assert Results.model_validate_json(text) == results
