"""From a lecture to its clips: rows, objects, and what is left of attempts that died."""

import hashlib
import io
import multiprocessing as mp
import os
import signal
import time
from pathlib import Path
from typing import Any

import av
import pytest

from medpipe import Dataset, faults, load_config, open_store, run_item
from medpipe.config import MedpipeConfig
from medpipe.dataset import Committer
from medpipe.demo.judge import bundled_lectures
from medpipe.records import Item
from medpipe.stages.acquire import resolve
from medpipe.stages.transcribe import Transcriber
from tests.support.faults import faults_at

LECTURE = next(path for path in bundled_lectures() if path.stem == "histology")


def config_of(*settings: str) -> MedpipeConfig:
    return load_config("demo", ["transcribe.cpu_threads=1", "clips.enabled=true", *settings])


def walk(out: Path, config: MedpipeConfig) -> Any:
    (item,) = resolve([str(LECTURE)], config.acquiring)
    assert isinstance(item, Item)
    transcriber = Transcriber(config.transcribe)
    transcriber.open()
    return run_item(item, open_store(str(out)), config, transcriber)


def walk_and_die(out: Path, planned: Path, settings: tuple[str, ...]) -> None:
    os.environ[faults.VARIABLE] = str(planned)
    walk(out, config_of(*settings))


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset in which a first attempt, with another config, died before it had decided."""
    folder = tmp_path_factory.mktemp("clips")
    with faults_at(folder / "dying.json") as planned:
        planned.set({"point": "write.manifest", "action": "sigkill"})
        process = mp.get_context("spawn").Process(
            target=walk_and_die, args=(folder / "out", planned.path, ("clips.slack_s=0",))
        )
        process.start()
        process.join(200)
        assert process.exitcode == -signal.SIGKILL
    store = open_store(str(folder / "out"))
    Committer(store).commit([walk(folder / "out", config_of())])
    return folder / "out"


def clips(out: Path) -> list[dict[str, Any]]:
    return Dataset(open_store(str(out))).rows("clips").to_pylist()


def test_every_clip_plays_as_long_as_its_row_says(out: Path) -> None:
    for row in clips(out):
        data = (out / row["key"]).read_bytes()
        assert (hashlib.sha256(data).hexdigest(), len(data)) == (row["sha256"], row["size_bytes"])
        with av.open(io.BytesIO(data)) as clip:
            frames = [float(f.pts * f.time_base) for f in clip.decode(video=0)]
        assert frames[0] == pytest.approx(0, abs=0.01)
        assert frames[-1] - frames[0] == pytest.approx(row["end_s"] - row["start_s"], abs=0.1)
        assert row["audio_codec"] == "aac"


def test_a_clip_shows_and_tells_what_was_pointed_at(out: Path) -> None:
    samples = {row["id"]: row for row in Dataset(open_store(str(out))).rows("samples").to_pylist()}
    rows = clips(out)

    assert rows
    assert {row["how"] for row in rows} == {"copied"}
    for row in rows:
        sample = samples[row["sample_id"]]
        assert row["phrases"]
        for phrase in row["phrases"]:
            narration = sample["narrations"][phrase["narration"]]
            assert narration["text"] == phrase["text"]
            assert narration["boxes"]
            assert not narration["negated"]
            assert row["start_s"] <= phrase["start_s"] <= phrase["end_s"] <= row["end_s"]
            heard = " ".join(word["text"] for word in narration["words"])
            assert heard in row["text"]


def test_the_item_counts_its_clips(out: Path) -> None:
    (item,) = Dataset(open_store(str(out))).rows("items").to_pylist()

    assert item["counts"]["clips"] == len(clips(out))
    assert "clips" in {timing["stage"] for timing in item["timings"]}


def test_what_the_dead_attempt_cut_is_an_orphan_until_the_vacuum(out: Path) -> None:
    store = open_store(str(out))
    named = {row["key"] for row in clips(out)}
    before = set(store.keys("_clips"))
    for path in out.rglob("*"):
        if path.is_file():
            os.utime(path, (time.time() - 9 * 86_400,) * 2)

    Committer(store).vacuum()

    assert before > named
    assert set(store.keys("_clips")) == named


def test_the_same_walk_again_cuts_the_same_clips(out: Path, tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    Committer(store).commit([walk(tmp_path, config_of())])

    def told(folder: Path) -> list[tuple[str, str, float, float]]:
        return [(r["key"], r["text"], r["start_s"], r["end_s"]) for r in clips(folder)]

    assert told(tmp_path) == told(out)


def test_without_clips_none_is_cut(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    Committer(store).commit([walk(tmp_path, config_of("clips.enabled=false"))])

    assert clips(tmp_path) == []
    assert list(store.keys("_clips")) == []
