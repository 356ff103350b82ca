"""A lecture of which some pictures do not decode comes in, and its rows say so."""

from pathlib import Path

from medpipe import Dataset, load_config, open_store, run_item
from medpipe.dataset import Committer
from medpipe.demo.judge import bundled_lectures
from medpipe.records import Item
from medpipe.stages.acquire import resolve
from medpipe.stages.transcribe import Transcriber
from tests.support.damage import damage


def test_a_damaged_lecture_is_in_and_a_row_tells_of_the_damage(tmp_path: Path) -> None:
    lecture = next(path for path in bundled_lectures() if path.stem == "histology")
    damaged = damage(lecture, tmp_path / lecture.name, picture=0)
    config = load_config("demo", ["transcribe.cpu_threads=1"])
    (item,) = resolve([str(damaged)], config.acquiring)
    assert isinstance(item, Item)
    transcriber = Transcriber(config.transcribe)
    transcriber.open()
    store = open_store(str(tmp_path / "out"))

    Committer(store).commit([run_item(item, store, config, transcriber)])

    (row,) = Dataset(store).rows("items").to_pylist()
    told = [r for r in Dataset(store).rows("rejects").to_pylist() if r["code"] == "damaged_file"]
    assert row["verdict"] == "done"
    assert [(each["stage"], each["kind"]) for each in told] == [("extract", "trace")]
    assert "in part" in told[0]["detail"]
