"""Reads test sets that are tables: CSV with paths, Parquet with the pictures inside."""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from medpipe.errors import Rejected
from medpipe.genmedclip.judging.boxes import Box, to_share_boxes
from medpipe.genmedclip.judging.contract import Example, Region
from medpipe.genmedclip.judging.pictures import size_px
from medpipe.genmedclip.judging.places import Place
from medpipe.genmedclip.judging.registry import (
    CsvSource,
    DatasetSpec,
    HfParquetSource,
    ParquetSource,
)
from medpipe.genmedclip.judging.rows import Dropped, found_labels
from medpipe.storage.objects import checked_key

Table = CsvSource | ParquetSource | HfParquetSource
_ROWS = 32


def csv_files(place: Place, source: CsvSource) -> list[str]:
    """The CSV file and those pictures it names that are there."""
    with place.open(place.key) as file:
        named = {row.get(source.image) or "" for row in _csv_rows(file, place.key)}
    keys = {_picture_key(source, path) for path in named if path}
    return [place.key, *sorted(key for key in keys if place.store.exists(key))]


def read_csv(
    place: Place, spec: DatasetSpec, source: CsvSource, split: str | None
) -> Iterator[Example | Dropped]:
    """Rows of a CSV file, a picture at a time.

    Raises:
        Rejected: A column is missing, or a path leaves the folder.
    """
    with place.open(place.key) as file:
        for row in _csv_rows(file, place.key):
            _check_columns(set(row), spec, source)
            if not _in_split(row, source, split):
                continue
            path = row[source.image]
            data = _picture(place, source, path)
            if data is None:
                yield Dropped(path, "missing_image", "the table names it, the folder lacks it")
            else:
                yield _example(row, path, data, spec, source, None)


def _csv_rows(file: IO[bytes], key: str) -> Iterator[dict[str, str]]:
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    try:
        for row in csv.DictReader(text, restval=""):
            row.pop(None, None)
            yield row
    except (csv.Error, UnicodeDecodeError) as error:
        raise Rejected("unreadable_dataset", f"{key}: {error}") from error


def _picture(place: Place, source: CsvSource, path: str) -> bytes | None:
    if not path:
        return None
    try:
        with place.open(_picture_key(source, path)) as picture:
            return picture.read()
    except (FileNotFoundError, IsADirectoryError):
        return None


def _picture_key(source: CsvSource, path: str) -> str:
    try:
        key = checked_key(path)
    except ValueError as error:
        raise Rejected("unsafe_path", str(error)) from error
    return f"{source.images.strip('/')}/{key}" if source.images else key


def parquet_files(place: Place, source: Table, splits: set[str | None]) -> list[str]:
    """The Parquet files of a source."""
    files = place.files(".parquet")
    if isinstance(source, HfParquetSource) and None not in splits:
        return [key for key in files if any(_of_split(key, str(s)) for s in splits)]
    return files


def _of_split(key: str, split: str) -> bool:
    """Whether a file is a split's: `test-00000-of-1.parquet`, `test.parquet`, `test/0.parquet`."""
    *folders, name = key.split("/")
    return name.startswith((f"{split}-", f"{split}.")) or split in folders[-1:]


def read_parquet(
    place: Place, spec: DatasetSpec, source: ParquetSource | HfParquetSource, split: str | None
) -> Iterator[Example | Dropped]:
    """Rows of Parquet files, a few at a time.

    Raises:
        Rejected: A file is no Parquet, or a column is missing.
    """
    for key in parquet_files(place, source, {split}):
        with place.open(key) as file:
            try:
                table = pq.ParquetFile(file)
                yield from _parquet_rows(table, key, spec, source, split)
            except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
                # Arrow tells of a broken footer by an OSError without a number; a store gives one.
                if isinstance(error, OSError) and error.errno is not None:
                    raise
                raise Rejected("unreadable_dataset", f"{spec.name}: {key}: {error}") from error


def _parquet_rows(
    table: pq.ParquetFile, key: str, spec: DatasetSpec, source: Table, split: str | None
) -> Iterator[Example | Dropped]:
    schema = table.schema_arrow
    _check_columns(set(schema.names), spec, source)
    names = _class_names(schema, source.label)
    columns = sorted(_columns(spec, source))
    stem, number = key.rpartition("/")[2], 0
    for batch in table.iter_batches(batch_size=_ROWS, columns=columns, use_threads=False):
        for row in batch.to_pylist():
            row_id = f"{stem}#{number}"
            number += 1
            if isinstance(source, ParquetSource) and not _in_split(row, source, split):
                continue
            cell = row[source.image]
            data = cell.get("bytes") if isinstance(cell, dict) else cell
            if not isinstance(data, bytes):
                yield Dropped(row_id, "missing_image", "no bytes in the image column")
                continue
            yield _example(row, row_id, data, spec, source, names)


def _example(
    row: Mapping[str, Any],
    row_id: str,
    picture: bytes,
    spec: DatasetSpec,
    source: Table,
    names: list[str] | None,
) -> Example | Dropped:
    labels: tuple[int, ...] = ()
    if spec.classes:
        found = found_labels(_spelled(row, spec, source, names), spec)
        if isinstance(found, str):
            return Dropped(row_id, "unlisted_class", found)
        labels = found
    texts = _texts(row.get(source.text)) if source.text else ()
    regions: tuple[Region, ...] = ()
    if spec.task == "grounding":
        try:
            boxes = _boxes(row, source, picture)
        except (Rejected, ValueError, TypeError) as error:
            return Dropped(row_id, "broken_box", str(error))
        regions = tuple(Region(text, boxes) for text in texts if boxes)
    group = row.get(source.group) if source.group else None
    return Example(row_id, picture, labels, texts, regions, None if group is None else str(group))


def _spelled(
    row: Mapping[str, Any], spec: DatasetSpec, source: Table, names: list[str] | None
) -> list[str]:
    """A row's classes as the source spells them."""
    if source.label is None:
        values = (c.value or c.name for c in spec.classes)
        return [v for v in values if str(row[v]).strip() in ("1", "1.0", "True", "true")]
    cell = row[source.label]
    if source.label_separator and isinstance(cell, str):
        return [part.strip() for part in cell.split(source.label_separator) if part.strip()]
    cells = cell if isinstance(cell, (list, tuple)) else [cell]
    if names is not None:
        return [names[c] if isinstance(c, int) and 0 <= c < len(names) else str(c) for c in cells]
    return [str(c) for c in cells]


def _boxes(row: Mapping[str, Any], source: Table, picture: bytes) -> tuple[Box, ...]:
    if source.box is None:
        return ()
    if isinstance(source.box, str):
        cell = row[source.box]
        if isinstance(cell, str):
            cell = json.loads(cell)
    else:
        cell = [row[name] for name in source.box]
    size = size_px(picture) if source.box_unit == "px" else None
    return to_share_boxes(cell, source.box_form, size)


def _texts(cell: Any) -> tuple[str, ...]:
    cells = cell if isinstance(cell, (list, tuple)) else [cell]
    return tuple(str(c).strip() for c in cells if c is not None and str(c).strip())


def _in_split(row: Mapping[str, Any], source: Table, split: str | None) -> bool:
    if split is None or source.split_column is None:
        return True
    return str(row[source.split_column]) == split


def _columns(spec: DatasetSpec, source: Table) -> set[str]:
    """Columns that are read."""
    box = (source.box,) if isinstance(source.box, str) else source.box or ()
    named = {source.image, source.label, source.text, source.group, source.split_column, *box}
    if spec.classes and source.label is None:
        named |= {c.value or c.name for c in spec.classes}
    return {name for name in named if name}


def _check_columns(there: set[str], spec: DatasetSpec, source: Table) -> None:
    if missing := sorted(_columns(spec, source) - there):
        raise Rejected(
            "missing_column",
            f"{spec.name}: no column {', '.join(missing)}; there are {', '.join(sorted(there))}",
        )


def _class_names(schema: pa.Schema, label: str | None) -> list[str] | None:
    """Names of a Hugging Face `ClassLabel` column, from the file's metadata."""
    text = (schema.metadata or {}).get(b"huggingface")
    if text is None or label is None:
        return None
    try:
        feature = json.loads(text)["info"]["features"][label]
    except (ValueError, KeyError, TypeError):
        return None
    if isinstance(feature, list) and feature:
        feature = feature[0]
    if isinstance(feature, dict) and isinstance(feature.get("feature"), dict):
        feature = feature["feature"]
    names = feature.get("names") if isinstance(feature, dict) else None
    return [str(n) for n in names] if isinstance(names, list) else None
