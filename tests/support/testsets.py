"""Small test sets of coloured pictures, written as each kind of source has them."""

import csv
import io
import json
import tarfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from medpipe.genmedclip.judging.registry import DatasetSpec
from tests.support.colours import painted

CLASSES = ["red", "green", "blue"]
TEMPLATES = ["a {} picture", "something {}"]


def spec(source: dict[str, Any], task: str = "zero_shot", **changed: Any) -> DatasetSpec:
    """A dataset of colours."""
    metric = {
        "zero_shot": "accuracy",
        "multi_label": "auroc",
        "retrieval": "r10_mean",
        "grounding": "pointing",
    }
    fields: dict[str, Any] = {
        "name": "colours",
        "title": "Colours",
        "domain": "general",
        "task": task,
        "source": source,
        "primary_metric": metric[task],
        "licence": "CC0",
        "citation": "nobody",
        "how_to_get": "paint it",
    }
    if task in ("zero_shot", "multi_label"):
        fields |= {"classes": [{"name": c} for c in CLASSES], "templates": TEMPLATES}
    return DatasetSpec(**(fields | changed))


def png(image: NDArray[np.uint8]) -> bytes:
    return bytes(cv2.imencode(".png", image[..., ::-1])[1].tobytes())


def pictures(n: int = 4, *, first: int = 0) -> list[tuple[str, NDArray[np.uint8]]]:
    """n pictures of each class with their class, classes in turn."""
    return [
        (CLASSES[i % len(CLASSES)], painted(CLASSES[i % len(CLASSES)], seed=i))
        for i in range(first, first + n * len(CLASSES))
    ]


def write_folder(root: Path, rows: Iterable[tuple[str, NDArray[np.uint8]]]) -> None:
    for i, (label, image) in enumerate(rows):
        (root / label).mkdir(parents=True, exist_ok=True)
        (root / label / f"p{i // 2}_{i}.png").write_bytes(png(image))


def write_csv(file: Path, rows: Sequence[dict[str, Any]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", newline="", encoding="utf-8") as out:
        table = csv.DictWriter(out, list(rows[0]))
        table.writeheader()
        table.writerows(rows)


def write_parquet(
    file: Path, rows: list[dict[str, Any]], metadata: dict[str, str] | None = None
) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pylist(rows)
    pq.write_table(table.replace_schema_metadata(metadata), file, row_group_size=3)


def write_npz(file: Path, **splits: list[tuple[str, NDArray[np.uint8]]]) -> None:
    """As MedMNIST: images (n, h, w, 3) uint8, labels (n, 1)."""
    arrays: dict[str, Any] = {}
    for name, rows in splits.items():
        arrays[f"{name}_images"] = np.stack([image for _, image in rows])
        arrays[f"{name}_labels"] = np.array([[CLASSES.index(c)] for c, _ in rows], np.uint8)
    file.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(file, **arrays)


def write_tar(file: Path, members: Iterable[tuple[str, bytes]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(file, "w") as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def note(**fields: Any) -> bytes:
    return json.dumps(fields).encode()
