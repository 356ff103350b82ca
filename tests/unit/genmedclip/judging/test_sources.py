"""Sources of every type give the same examples; hostile ones give none and say why."""

import io
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medpipe.dataset import Committer
from medpipe.errors import Rejected
from medpipe.genmedclip.judging.contract import Example
from medpipe.genmedclip.judging.pictures import MAX_ENCODED_BYTES, decode
from medpipe.genmedclip.judging.registry import DatasetSpec
from medpipe.genmedclip.judging.rows import Dropped
from medpipe.genmedclip.judging.sources import TestSet, find
from medpipe.storage import StorageConfig, open_store
from tests.support.rows import put_item
from tests.support.s3 import KEYS, make_bucket, s3_server
from tests.support.testsets import (
    CLASSES,
    note,
    pictures,
    png,
    spec,
    write_csv,
    write_folder,
    write_npz,
    write_parquet,
    write_tar,
)

ROWS = pictures(3)


def found(root: Path, dataset: DatasetSpec) -> TestSet:
    test = find(dataset, str(root))
    assert test is not None
    return test


def read(root: Path, dataset: DatasetSpec, split: str | None = None) -> list[Any]:
    return list(found(root, dataset).read(split))


def labels(rows: list[Any]) -> list[str]:
    return sorted(CLASSES[row.labels[0]] for row in rows)


def hf_features(names: list[str]) -> dict[str, str]:
    return {
        "huggingface": '{"info": {"features": {"label": {"names": ["'
        + '", "'.join(names)
        + '"], "_type": "ClassLabel"}}}}'
    }


def make(kind: str, root: Path) -> DatasetSpec:
    """The same pictures, as a source of a type has them."""
    cells = [{"bytes": png(image), "path": None} for _, image in ROWS]
    match kind:
        case "folder":
            write_folder(root / "set" / "test", ROWS)
            return spec({"type": "folder", "uri": "set", "split": "test"})
        case "csv":
            for i, (_, image) in enumerate(ROWS):
                (root / "set" / "files").mkdir(parents=True, exist_ok=True)
                (root / "set" / "files" / f"{i}.png").write_bytes(png(image))
            write_csv(
                root / "set" / "all.csv",
                [{"image": f"{i}.png", "what": c, "part": "test"} for i, (c, _) in enumerate(ROWS)],
            )
            columns = {"label": "what", "split_column": "part", "split": "test"}
            return spec({"type": "csv", "uri": "set/all.csv", "images": "files", **columns})
        case "parquet":
            rows = [{"picture": cell, "what": c} for cell, (c, _) in zip(cells, ROWS, strict=True)]
            write_parquet(root / "set" / "a.parquet", rows[:4])
            write_parquet(root / "set" / "b.parquet", rows[4:])
            return spec({"type": "parquet", "uri": "set", "image": "picture", "label": "what"})
        case "hf_parquet":
            order = ["blue", "green", "red"]  # not the spec's
            rows = [
                {"image": cell, "label": order.index(c)}
                for cell, (c, _) in zip(cells, ROWS, strict=True)
            ]
            write_parquet(root / "set/data/test-00000-of-00001.parquet", rows, hf_features(order))
            write_parquet(root / "set/data/train-00000-of-00001.parquet", rows[:1])
            return spec({"type": "hf_parquet", "uri": "set", "label": "label", "split": "test"})
        case "npz":
            write_npz(root / "set.npz", test=ROWS, train=ROWS[:2])
            return spec({"type": "npz", "uri": "set.npz", "split": "test"})
        case _:
            members = [
                (f"{i:03d}.{suffix}", data)
                for i, (c, image) in enumerate(ROWS)
                for suffix, data in (("cls", str(CLASSES.index(c)).encode()), ("png", png(image)))
            ]
            write_tar(root / "set/test/0.tar", members[:6])
            write_tar(root / "set/test/1.tar", members[6:])
            return spec({"type": "webdataset", "uri": "set", "split": "test"})


KINDS = ["folder", "csv", "parquet", "hf_parquet", "npz", "webdataset"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_type_of_source_gives_pictures_with_their_classes(kind: str, tmp_path: Path) -> None:
    dataset = make(kind, tmp_path)

    rows = read(tmp_path, dataset, dataset.source.split)

    assert labels(rows) == sorted(c for c, _ in ROWS)
    assert len({row.id for row in rows}) == len(ROWS)
    known = {image.tobytes(): c for c, image in ROWS}
    assert all(known[decode(row.picture).tobytes()] == CLASSES[row.labels[0]] for row in rows)


@pytest.mark.parametrize("kind", KINDS)
def test_a_source_that_is_not_there_is_none(kind: str, tmp_path: Path) -> None:
    dataset = make(kind, tmp_path / "made")

    assert find(dataset, str(tmp_path / "elsewhere")) is None


@pytest.mark.parametrize("kind", KINDS)
def test_another_picture_is_another_fingerprint(kind: str, tmp_path: Path) -> None:
    dataset = make(kind, tmp_path / "a")
    before = found(tmp_path / "a", dataset).fingerprint("test")
    make(kind, tmp_path / "b")
    ROWS.append(ROWS.pop(0))
    make(kind, tmp_path / "c")
    ROWS.insert(0, ROWS.pop())

    assert found(tmp_path / "b", dataset).fingerprint("test") == before
    assert found(tmp_path / "c", dataset).fingerprint("test") != before
    assert found(tmp_path / "a", dataset).fingerprint("train") != before


@pytest.mark.parametrize("kind", KINDS)
def test_other_content_than_the_stated_hash_is_refused(kind: str, tmp_path: Path) -> None:
    dataset = make(kind, tmp_path)
    digest = found(tmp_path, dataset).digest
    right, wrong = (
        dataset.model_copy(update={"source": dataset.source.model_copy(update={"sha256": s})})
        for s in (digest, "0" * 64)
    )

    assert find(right, str(tmp_path)) is not None
    with pytest.raises(Rejected, match="wrong_content"):
        find(wrong, str(tmp_path))


def test_the_hash_of_a_file_is_sha256sums(tmp_path: Path) -> None:
    import hashlib

    dataset = make("npz", tmp_path)

    expected = hashlib.sha256((tmp_path / "set.npz").read_bytes()).hexdigest()
    assert found(tmp_path, dataset).digest == expected


def test_a_bucket_holds_test_sets_as_a_folder_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = make("npz", tmp_path)
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    with s3_server(tmp_path / "s3.log") as url:
        make_bucket(url, "tests")
        storage = StorageConfig(endpoint_url=url)
        store = open_store("s3://tests/data", storage)
        store.write("set.npz", (tmp_path / "set.npz").read_bytes())

        test = find(dataset, "s3://tests/data", storage)
        assert test is not None
        assert labels(list(test.read("test"))) == sorted(c for c, _ in ROWS)
        assert find(make("folder", tmp_path), "s3://tests/data", storage) is None


def test_patients_are_read_from_file_names(tmp_path: Path) -> None:
    write_folder(tmp_path / "set", ROWS)
    dataset = spec({"type": "folder", "uri": "set", "group_pattern": "^(p[0-9]+)_"})

    groups = [row.group for row in read(tmp_path, dataset)]

    assert sorted(groups) == sorted(f"p{i // 2}" for i in range(len(ROWS)))


def test_classes_that_are_not_listed_are_left_out_and_counted(tmp_path: Path) -> None:
    write_folder(tmp_path / "set", [*ROWS, ("mauve", ROWS[0][1])])

    rows = read(tmp_path, spec({"type": "folder", "uri": "set"}))

    dropped = [row for row in rows if isinstance(row, Dropped)]
    assert [(d.code, "mauve" in d.detail) for d in dropped] == [("unlisted_class", True)]
    assert len(rows) == len(ROWS) + 1


def test_several_classes_come_from_columns_cells_or_vectors(tmp_path: Path) -> None:
    image = {"bytes": png(ROWS[0][1])}
    columns = {"red": 1, "green": 0, "blue": 1}
    rows = [{"image": image, **columns, "cell": "red|blue|mauve", "list": ["red", "blue"]}]
    write_parquet(tmp_path / "a.parquet", rows)
    np.savez(
        tmp_path / "b.npz",
        images=ROWS[0][1][None],
        labels=np.array([[1, 0, 1]], np.uint8),
    )
    table = {"type": "parquet", "uri": "a.parquet"}
    sources = [
        table,
        {**table, "label": "cell", "label_separator": "|"},
        {**table, "label": "list"},
        {"type": "npz", "uri": "b.npz"},
    ]

    found_labels = [read(tmp_path, spec(s, "multi_label"))[0].labels for s in sources]

    assert found_labels == [(0, 2)] * 4


def test_boxes_come_as_shares_whatever_their_spelling(tmp_path: Path) -> None:
    from tests.support.colours import spotted

    image = {"bytes": png(spotted("red", (0.25, 0.5, 0.5, 0.75)))}  # 96 x 96
    row = {
        "image": image, "text": "red", "share": [0.25, 0.5, 0.5, 0.75],
        "px": [[24.0, 48.0, 48.0, 72.0]], "json": "[24, 48, 24, 24]",
        "x": 24, "y": 48, "w": 24, "h": 24, "far": [0.25, 0.5, 7.0, float("nan")],
    }  # fmt: skip
    write_parquet(tmp_path / "a.parquet", [row])
    table = {"type": "parquet", "uri": "a.parquet", "text": "text"}
    wh = {"box_form": "xywh", "box_unit": "px"}
    sources = [
        {**table, "box": "share"},
        {**table, "box": "px", "box_unit": "px"},
        {**table, "box": "json", **wh},
        {**table, "box": ["x", "y", "w", "h"], **wh},
    ]

    boxes = [read(tmp_path, spec(s, "grounding"))[0].regions[0].boxes for s in sources]

    assert boxes == [((0.25, 0.5, 0.5, 0.75),)] * 4
    assert read(tmp_path, spec({**table, "box": "far"}, "grounding"))[0].regions == ()


def test_captions_come_one_or_several(tmp_path: Path) -> None:
    image = {"bytes": png(ROWS[0][1])}
    write_parquet(
        tmp_path / "a.parquet",
        [{"image": image, "one": " red ", "many": ["red", "", "a red one"], "who": 7}],
    )
    table = {"type": "parquet", "uri": "a.parquet", "group": "who"}

    one, many = (
        read(tmp_path, spec({**table, "text": t}, "retrieval"))[0] for t in ("one", "many")
    )

    assert (one.texts, many.texts, one.group) == (("red",), ("red", "a red one"), "7")


def test_a_shards_notes_hold_captions_classes_and_groups(tmp_path: Path) -> None:
    write_tar(
        tmp_path / "set/0.tar",
        [
            ("a.png", png(ROWS[0][1])),
            ("a.txt", b"red thing"),
            ("a.json", note(texts=["more red"], labels=["green"], group="p1")),
            ("b.json", b"[]"),
            ("b.png", png(ROWS[0][1])),
            ("c.txt", b"no picture"),
        ],
    )
    source = {"type": "webdataset", "uri": "set"}

    first, second, third = read(tmp_path, spec(source, "retrieval"))
    with_class = read(tmp_path, spec(source))[0]

    assert (first.texts, first.group) == (("more red", "red thing"), "p1")
    assert with_class.labels == (1,)
    assert (second.code, third.code) == ("broken_note", "missing_image")


def test_a_dataset_of_medpipe_is_a_test_set_of_phrases_with_boxes_and_traces(
    tmp_path: Path,
) -> None:
    store = open_store(str(tmp_path / "narratives"))
    Committer(store).commit([put_item(store, "file:a"), put_item(store, "file:b")])
    source = {"type": "medpipe", "uri": "narratives"}

    pointed = read(tmp_path, spec(source, "grounding"))
    told = read(tmp_path, spec(source, "retrieval"))

    region = pointed[0].regions[0]
    assert (region.text, region.boxes) == ("this opacity", ((0.25, 0.5, 0.5, 0.75),))
    assert region.trace == ((0.25, 0.5), (0.5, 0.5), (0.5, 0.75))
    assert {row.group for row in pointed} == {"file:a", "file:b"}
    assert told[0].texts == ("this opacity",)
    assert decode(told[0].picture).shape == (24, 32, 3)


def npz_with(name: str, data: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("labels.npy", npy(np.zeros((1, 1), np.uint8)))
        archive.writestr(name, data)
    return out.getvalue()


def npy(array: np.ndarray, *, pickle: bool = False) -> bytes:
    out = io.BytesIO()
    np.save(out, array, allow_pickle=pickle)
    return out.getvalue()


def header(shape: str, descr: str = "|u1") -> bytes:
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


@pytest.mark.parametrize(
    "data",
    [
        npz_with("images.npy", npy(np.array([{"a": 1}], object), pickle=True)),
        npz_with("images.npy", header("(1, 1000000, 1000000, 3)")),
        npz_with("images.npy", header("(4, 8, 8, 3)") + bytes(100)),
        npz_with("images.npy", header("(-1, 8, 8)")),
        npz_with("images.npy", header("(1, 8, 8)", "<f8") + bytes(512)),
        npz_with("images.npy", header("(__import__('os').getpid(), 8, 8)")),
        npz_with("images.npy", header("(9, 8, 8)") + bytes(576)),
        npz_with("../images.npy", npy(np.zeros((1, 8, 8), np.uint8))),
        npz_with("images.npy", b"\x93NUMPY\x09\x00"),
        npz_with("images.npy", b"PK"),
        npz_with("images.npy", npy(np.zeros((1, 8, 8), np.uint8)))[:-40],
        b"no archive",
    ],
    ids=[
        "pickle", "gigapixels", "cut short", "negative", "floats", "code in the header",
        "more pictures than labels", "another name", "unknown version", "no array", "torn", "text",
    ],
)  # fmt: skip
def test_a_hostile_npz_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.npz").write_bytes(data)

    with pytest.raises(Rejected):
        read(tmp_path, spec({"type": "npz", "uri": "x.npz"}))


def test_pickled_objects_are_refused_as_such(tmp_path: Path) -> None:
    pickled = npy(np.array([{"a": 1}], object), pickle=True)
    (tmp_path / "x.npz").write_bytes(npz_with("images.npy", pickled))

    with pytest.raises(Rejected, match="unsafe_archive: images holds pickled objects"):
        read(tmp_path, spec({"type": "npz", "uri": "x.npz"}))


def tar_with(*infos: tuple[tarfile.TarInfo, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for info, data in infos:
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def member(name: str, size: int = 0, kind: bytes = tarfile.REGTYPE, link: str = "") -> Any:
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname = size, kind, link
    return info


def test_a_shard_is_never_unpacked_and_its_links_lead_nowhere(tmp_path: Path) -> None:
    data = png(ROWS[0][1])
    (tmp_path / "set").mkdir()
    (tmp_path / "set/0.tar").write_bytes(
        tar_with(
            (member("../../outside.png", len(data)), data),
            (member("../../outside.cls", 1), b"0"),
            (member("link.png", kind=tarfile.SYMTYPE, link="/etc/hostname"), b""),
            (member("link.cls", 1), b"1"),
        )
    )

    rows = read(tmp_path, spec({"type": "webdataset", "uri": "set"}))

    assert [type(row) for row in rows] == [Example, Dropped]
    assert rows[1].code == "missing_image"
    assert not [path for path in tmp_path.parents if (path / "outside.png").exists()]
    assert [p.name for p in tmp_path.rglob("*")] == ["set", "0.tar"]


def test_a_header_that_claims_gigabytes_is_refused(tmp_path: Path) -> None:
    huge = member("a.png", MAX_ENCODED_BYTES * 40, tarfile.XHDTYPE)
    (tmp_path / "set").mkdir()
    (tmp_path / "set/0.tar").write_bytes(huge.tobuf() + bytes(1024))

    with pytest.raises(Rejected, match="unsafe_archive"):
        read(tmp_path, spec({"type": "webdataset", "uri": "set"}))


@pytest.mark.parametrize("data", [b"x" * 2000, zlib.compress(b"x" * 4000)], ids=["text", "zlib"])
def test_what_is_no_tar_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set/0.tar").write_bytes(data)

    with pytest.raises(Rejected, match="unreadable_dataset"):
        read(tmp_path, spec({"type": "webdataset", "uri": "set"}))


@pytest.mark.parametrize("path", ["../secret.png", "/etc/hostname", "a/../../b.png", "a\\b.png"])
def test_a_path_that_leaves_the_folder_is_refused(tmp_path: Path, path: str) -> None:
    (tmp_path / "secret.png").write_bytes(png(ROWS[0][1]))
    write_csv(tmp_path / "set/all.csv", [{"image": path, "what": "red"}])

    with pytest.raises(Rejected, match="unsafe_path"):
        find(spec({"type": "csv", "uri": "set/all.csv", "label": "what"}), str(tmp_path))


def test_a_picture_that_the_table_names_and_the_folder_lacks_is_counted(tmp_path: Path) -> None:
    write_csv(tmp_path / "all.csv", [{"image": "gone.png", "what": "red"}])

    rows = read(tmp_path, spec({"type": "csv", "uri": "all.csv", "label": "what"}))

    assert [row.code for row in rows] == ["missing_image"]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_missing_column_is_named(tmp_path: Path, kind: str) -> None:
    write_csv(tmp_path / "a.csv", [{"image": "x", "what": "red"}])
    write_parquet(tmp_path / "a.parquet", [{"image": b"x", "what": "red"}])

    with pytest.raises(Rejected, match="no column colour; there are image, what"):
        read(tmp_path, spec({"type": kind, "uri": f"a.{kind}", "label": "colour"}))


def test_what_is_no_parquet_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1" + bytes(100) + b"PAR1")

    with pytest.raises(Rejected, match="unreadable_dataset"):
        read(tmp_path, spec({"type": "parquet", "uri": "a.parquet", "label": "what"}))


def chunk(kind: bytes, data: bytes) -> bytes:
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


def png_bomb(side: int) -> bytes:
    """A PNG of a few hundred bytes that claims side x side pixels."""
    size = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    parts = [chunk(b"IHDR", size), chunk(b"IDAT", zlib.compress(b"")), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (png_bomb(60_000), "image_too_large"),
        (png_bomb(12_000), "image_too_large"),
        (png(ROWS[0][1])[:200], "broken_image"),
        (b"GIF89a", "broken_image"),
        (b"", "broken_image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "broken_image"),
    ],
    ids=["bomb", "smaller bomb", "torn", "stub", "nothing", "svg"],
)
@pytest.mark.filterwarnings("ignore:Image size")
def test_a_hostile_picture_is_refused(data: bytes, code: str) -> None:
    with pytest.raises(Rejected, match=code):
        decode(data)


def torn(kind: str, root: Path) -> tuple[DatasetSpec, Path]:
    """A set of few bytes, so that a flipped one is likely to matter."""
    dataset = make(kind, root)
    files = [p for p in root.rglob("*") if p.suffix in (".npz", ".tar", ".parquet", ".csv")]
    return dataset, files[0]


@pytest.mark.parametrize("kind", ["npz", "webdataset", "parquet", "csv"])
def test_a_set_with_a_flipped_byte_is_read_or_refused_and_breaks_nothing(
    tmp_path: Path, kind: str
) -> None:
    dataset, file = torn(kind, tmp_path)
    whole = file.read_bytes()
    random = np.random.default_rng(0)
    # Heads and ends hold what steers a reader.
    places = [*range(0, 160, 3), *range(len(whole) - 160, len(whole), 3)]
    places += random.integers(0, len(whole), 60).tolist()
    refused = 0
    for place in places:
        data = bytearray(whole)
        data[place % len(whole)] ^= int(random.integers(1, 256))
        file.write_bytes(data)
        try:
            for row in read(tmp_path, dataset, dataset.source.split):
                if isinstance(row, Example):
                    decode(row.picture)
        except Rejected:
            refused += 1

    assert refused > 0


@pytest.mark.parametrize(
    "text",
    ["image,what\n,red\n", "image,what\nx\n", "image,what\nx,red,more,more\n"],
    ids=["no path", "no label", "too many cells"],
)
def test_a_ragged_table_costs_its_rows_only(tmp_path: Path, text: str) -> None:
    (tmp_path / "all.csv").write_text(text)

    rows = read(tmp_path, spec({"type": "csv", "uri": "all.csv", "label": "what"}))

    assert [row.code for row in rows] == ["missing_image"]


@pytest.mark.parametrize("data", [b"image,what\n\xff\xfe,red\n", b'image,what\n"' + b"x" * 200_000])
def test_what_is_no_csv_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "all.csv").write_bytes(data)

    with pytest.raises(Rejected, match="unreadable_dataset"):
        read(tmp_path, spec({"type": "csv", "uri": "all.csv", "label": "what"}))


@pytest.mark.parametrize("cell", ["5", "{}", '"text"', "[1, 2]", "[[1, 2, 3, null]]", "no json"])
def test_a_box_that_is_none_costs_its_row_only(tmp_path: Path, cell: str) -> None:
    image = {"bytes": png(ROWS[0][1])}
    write_parquet(tmp_path / "a.parquet", [{"image": image, "text": "red", "box": cell}])
    source = {"type": "parquet", "uri": "a.parquet", "text": "text", "box": "box"}

    [row] = read(tmp_path, spec(source, "grounding"))

    assert isinstance(row, Dropped) or row.regions == ()


def test_a_damaged_header_in_the_middle_is_not_taken_for_the_end(tmp_path: Path) -> None:
    dataset, file = torn("webdataset", tmp_path)
    data = bytearray(file.read_bytes())
    second = data.index(b"001.cls")
    data[second + 148] ^= 0x01  # its checksum
    file.write_bytes(data)

    with pytest.raises(Rejected, match="damaged header"):
        read(tmp_path, dataset, "test")
