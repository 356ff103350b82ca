"""The tables open in what people use, each in a fresh interpreter as a reader would start it.

Readers that scan by pyarrow's dataset are given pyarrow's own file system: over that of delta-rs
(1.6, pyarrow 26) every tenth process or so read well and then aborted at its exit.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from medpipe.dataset import Committer
from medpipe.storage import open_store
from tests.support.rows import jpeg, put_item

A, B = "file:a", "file:b"
SAMPLES = [f"{item}#{n:03d}" for item in (A, B) for n in (0, 1)]

OPEN = """
import json, sys, os
from deltalake import DeltaTable
from pyarrow.fs import LocalFileSystem, SubTreeFileSystem
table = DeltaTable(sys.argv[1])
files = SubTreeFileSystem(sys.argv[1], LocalFileSystem())
"""


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("out")
    store = open_store(str(root))
    committer = Committer(store)
    committer.commit([put_item(store, A), put_item(store, B)])
    committer.commit([put_item(store, A, generation=2)])
    return root / "samples"


def run(code: str, table: Path, folder: Path) -> Any:
    home = {"HF_DATASETS_OFFLINE": "1", "HF_HUB_OFFLINE": "1", "HF_HOME": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", OPEN + code, str(table)],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, **home},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("ids = table.to_pandas(filesystem=files)['id']", id="pandas"),
        pytest.param(
            "import pandas; ids = pandas.concat(map(pandas.read_parquet, table.file_uris()))['id']",
            id="pandas by file",
        ),
        pytest.param(
            "import pyarrow.parquet as pq\n"
            "ids = [i for f in table.file_uris() for i in pq.read_table(f)['id'].to_pylist()]",
            id="pyarrow",
        ),
        pytest.param(
            "rows = table.to_pyarrow_dataset(filesystem=files)\n"
            "ids = rows.to_table(['id'])['id'].to_pylist()",
            id="pyarrow dataset",
        ),
        pytest.param("import polars; ids = polars.read_delta(sys.argv[1])['id']", id="polars"),
        pytest.param(
            "import polars\n"
            "ids = polars.scan_delta(sys.argv[1]).filter(polars.col('id') >= '').collect()['id']",
            id="polars lazily",
        ),
        pytest.param(
            "import duckdb\n"
            "ids = [i for i, in duckdb.sql('select id from read_parquet('\n"
            "       + str(table.file_uris()) + ')').fetchall()]",
            id="duckdb by file",
        ),
        pytest.param(
            "import duckdb; rows = table.to_pyarrow_dataset(filesystem=files)\n"
            "ids = [i for i, in duckdb.sql('select id from rows').fetchall()]",
            id="duckdb",
        ),
    ],
)
def test_a_reader_sees_each_sample_of_the_newest_generation_once(
    samples: Path, tmp_path: Path, code: str
) -> None:
    assert run(code + "\nprint(json.dumps(sorted(ids)))", samples, tmp_path) == SAMPLES


def test_a_filter_by_item_reads_that_items_files_only(samples: Path, tmp_path: Path) -> None:
    code = """
rows = table.to_pyarrow_dataset(filesystem=files)
import pyarrow.dataset as ds
kept = list(rows.get_fragments(filter=ds.field("item_id") == "file:b"))
print(json.dumps([len(list(rows.get_fragments())), len(kept)]))
"""
    assert run(code, samples, tmp_path) == [2, 1]


def test_duckdb_finds_the_box_of_a_phrase(samples: Path, tmp_path: Path) -> None:
    code = """
import duckdb
rows = duckdb.sql(
    "select said.n.text, said.n.boxes[1].xyxy from (select unnest(narrations) as n from "
    f"read_parquet({table.file_uris()})) said limit 1").fetchall()
print(json.dumps(rows))
"""
    assert run(code, samples, tmp_path) == [["this opacity", [0.25, 0.5, 0.5, 0.75]]]


def test_hugging_face_datasets_decodes_the_images(samples: Path, tmp_path: Path) -> None:
    code = """
import datasets
rows = datasets.load_dataset("parquet", data_files=table.file_uris(), split="train")
rows = rows.sort("id")
image = rows[0]["image"]
print(json.dumps({
    "n": len(rows), "type": type(image).__name__, "size": image.size, "mode": image.mode,
    "corner": image.getpixel((0, 0)), "text": rows[0]["narrations"][0]["text"],
    "x": rows[0]["narrations"][0]["trace"]["x"],
}))
"""
    seen = run(code, samples, tmp_path)

    assert seen == {
        "n": 4,
        "type": "JpegImageFile",
        "size": [32, 24],
        "mode": "RGB",
        "corner": [40, 40, 40],
        "text": "this opacity",
        "x": [0.25, 0.5, 0.5],
    }


def test_the_images_are_whole_files_of_their_own(samples: Path, tmp_path: Path) -> None:
    code = """
rows = table.to_pandas(filesystem=files).sort_values("id")
print(json.dumps(rows["image"].iloc[0]["bytes"].hex()))
"""

    assert bytes.fromhex(run(code, samples, tmp_path)) == jpeg(40)
