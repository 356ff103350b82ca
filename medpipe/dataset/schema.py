"""The columns of every table, versioned, and what readers outside Arrow need to know of them."""

import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

SCHEMA_VERSION = 3

_STRING = pa.string()
_F32 = pa.float32()
_F64 = pa.float64()
_I32 = pa.int32()
_TIME = pa.timestamp("us", tz="UTC")


def _struct(**fields: pa.DataType) -> pa.DataType:
    return pa.struct([pa.field(name, kind) for name, kind in fields.items()])


def _schema(**fields: pa.DataType) -> pa.Schema:
    return pa.schema([pa.field(name, kind) for name, kind in fields.items()])


SECONDS_BY_STAGE = pa.list_(_struct(stage=_STRING, cpu_s=_F64, wall_s=_F64))
TRACE = _struct(
    t_s=pa.list_(_F32),
    x=pa.list_(_F32),
    y=pa.list_(_F32),
    confidence=pa.list_(_F32),
    kind=pa.list_(pa.int8()),
)
# A negated box shows where something was looked for: it is no evidence of it.
BOX = _struct(
    xyxy=pa.list_(_F32),
    score=_F32,
    area=_F32,
    n_points=_I32,
    method=_STRING,
    negated=pa.bool_(),
)
# `first_point` and `end_point` bound the points of the narration's trace that are the word's own.
SPOKEN_WORD = _struct(
    text=_STRING,
    start_s=_F64,
    end_s=_F64,
    probability=_F32,
    first_point=_I32,
    end_point=_I32,
)
NARRATION = _struct(
    kind=_STRING,
    text=_STRING,
    raw_text=_STRING,
    start_s=_F64,
    end_s=_F64,
    scene=_I32,
    words=pa.list_(SPOKEN_WORD),
    negated=pa.bool_(),
    deictic=pa.bool_(),
    concepts=pa.list_(_STRING),
    trace=TRACE,
    boxes=pa.list_(BOX),
    hedged=pa.bool_(),
)

# What every row of every table says of where it came from and what made it.
_PROVENANCE: dict[str, pa.DataType] = {
    "source": _STRING,
    "url": _STRING,
    "licence": _STRING,
    "source_sha256": _STRING,
    "fetched_at": _TIME,
    "generation": _I32,
    "config_hash": _STRING,
    "medpipe_version": _STRING,
    "schema_version": _I32,
    "models": pa.list_(_struct(stage=_STRING, model=_STRING)),
}

ITEMS = _schema(
    id=_STRING,
    title=_STRING,
    channel=_STRING,
    verdict=_STRING,
    reason=_STRING,
    detail=_STRING,
    duration_s=_F64,
    size_bytes=pa.int64(),
    width_px=_I32,
    height_px=_I32,
    frame_rate=_F64,
    video_codec=_STRING,
    audio_codec=_STRING,
    language=_STRING,
    counts=_struct(
        scenes=_I32,
        samples=_I32,
        narrations=_I32,
        boxes=_I32,
        words=_I32,
        trace_points=_I32,
        drops=_I32,
        clips=_I32,
        parts=_I32,
    ),
    word_shift_s=_F64,  # was added to word times; null: no evidence for any
    trace=TRACE,  # the whole video's, t_s from its start, shares of the decoded frame
    timings=SECONDS_BY_STAGE,
    cost_usd=_F64,
    **_PROVENANCE,
)

SAMPLES = _schema(
    id=_STRING,
    item_id=_STRING,
    index=_I32,
    image=_struct(bytes=pa.binary(), path=_STRING),
    width_px=_I32,
    height_px=_I32,
    sha256=_STRING,
    phash=_STRING,
    scenes=pa.list_(_struct(start_s=_F64, end_s=_F64, box_px=pa.list_(_I32))),
    domains=pa.list_(_struct(domain=_STRING, score=_F32)),
    unrecovered_px=_I32,
    quality=_struct(contrast=_F32, sharpness=_F32),
    flags=pa.list_(_STRING),
    narrations=pa.list_(NARRATION),
    siblings=pa.list_(_STRING),
    part_of=_STRING,  # of a picture cut out of a sample, the id of that sample
    parts=_I32,  # pictures that were cut out of this one
    duplicate_of=_STRING,
    title=_STRING,
    channel=_STRING,
    **_PROVENANCE,
)

TRANSCRIPTS = _schema(
    item_id=_STRING,
    language=_STRING,
    language_probability=_F32,
    duration_s=_F64,
    speech_s=_F64,
    text=_STRING,
    words=pa.list_(
        _struct(text=_STRING, start_s=_F64, end_s=_F64, probability=_F32, suspect=_STRING)
    ),
    segments=pa.list_(
        _struct(start_s=_F64, end_s=_F64, text=_STRING, first_word=_I32, end_word=_I32)
    ),
    corrections=pa.list_(
        _struct(first_word=_I32, end_word=_I32, before=_STRING, after=_STRING, score=_F32)
    ),
    **_PROVENANCE,
)

CLIPS = _schema(
    id=_STRING,
    item_id=_STRING,
    sample_id=_STRING,
    key=_STRING,
    start_s=_F64,
    end_s=_F64,
    text=_STRING,
    phrases=pa.list_(_struct(text=_STRING, start_s=_F64, end_s=_F64, narration=_I32)),
    sha256=_STRING,
    size_bytes=pa.int64(),
    video_codec=_STRING,
    audio_codec=_STRING,
    how=_STRING,
    title=_STRING,
    channel=_STRING,
    **_PROVENANCE,
)

REJECTS = _schema(
    item_id=_STRING,
    stage=_STRING,
    kind=_STRING,
    code=_STRING,
    detail=_STRING,
    start_s=_F64,
    end_s=_F64,
    evidence=_STRING,
    **_PROVENANCE,
)

# In the order of commit: `items` last, so that an item is in once all its rows are.
TABLES: dict[str, pa.Schema] = {
    "samples": SAMPLES,
    "transcripts": TRANSCRIPTS,
    "clips": CLIPS,
    "rejects": REJECTS,
    "items": ITEMS,
}

# Column of each table that holds the item's id.
ITEM_COLUMN = {table: "id" if table == "items" else "item_id" for table in TABLES}


def fitted(rows: pa.Table, table: str, columns: Sequence[str] | None = None) -> pa.Table:
    """Rows of any schema version with the columns of the newest one; what is new is null.

    Args:
        rows: As read from a file of the table.
        table: Whose they are.
        columns: Those wanted; all if None.
    """
    schema = TABLES[table]
    if columns is not None:
        schema = pa.schema([schema.field(column) for column in columns])
    if rows.schema.equals(schema):
        return rows
    for field in schema:
        if field.name not in rows.column_names:
            rows = rows.append_column(field, pa.nulls(rows.num_rows, field.type))
    return rows.select(schema.names).cast(schema)


def file_schema(table: str, config_hash: str | None) -> pa.Schema:
    """The schema of a table's Parquet files, with the metadata that readers look for.

    `huggingface` makes `datasets.load_dataset("parquet", ...)` decode the images. The config is
    named where it is the same for all rows; each row names its own.
    """
    schema = TABLES[table]
    features = {field.name: _feature(field.name, field.type) for field in schema}
    metadata = {
        "huggingface": json.dumps({"info": {"features": features}}),
        "medpipe.schema_version": str(SCHEMA_VERSION),
    }
    if config_hash is not None:
        metadata["medpipe.config_hash"] = config_hash
    return schema.with_metadata(metadata)


def _feature(name: str, kind: pa.DataType) -> Any:
    """The Hugging Face feature of an Arrow type (`datasets` >= 4 spelling)."""
    if name == "image" and pa.types.is_struct(kind):
        return {"_type": "Image"}
    if pa.types.is_struct(kind):
        return {field.name: _feature(field.name, field.type) for field in kind}
    if pa.types.is_list(kind):
        return {"feature": _feature("", kind.value_type), "_type": "List"}
    if pa.types.is_timestamp(kind):
        return {"dtype": f"timestamp[us, tz={kind.tz}]", "_type": "Value"}
    spelled = {"float": "float32", "double": "float64"}.get(str(kind), str(kind))
    return {"dtype": spelled, "_type": "Value"}
