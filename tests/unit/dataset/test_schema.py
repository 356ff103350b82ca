"""The columns of every table are a promise to readers."""

from pathlib import Path

import pytest

from medpipe.dataset import SCHEMA_VERSION, TABLES
from medpipe.dataset.schema import ITEM_COLUMN, file_schema

GOLDEN = Path(__file__).with_name(f"schema_v{SCHEMA_VERSION}.txt")


def as_text() -> str:
    return "\n\n".join(
        f"[{table}]\n{schema.to_string(truncate_metadata=False)}"
        for table, schema in TABLES.items()
    )


def test_the_schema_is_the_one_that_was_published() -> None:
    assert as_text() + "\n" == GOLDEN.read_text("utf-8"), (
        "The columns changed. Old datasets have the old ones: raise SCHEMA_VERSION, write a "
        f"migration, and add schema_v{SCHEMA_VERSION + 1}.txt beside {GOLDEN.name}."
    )


def test_items_are_committed_last() -> None:
    assert list(TABLES)[-1] == "items"


@pytest.mark.parametrize("table", list(TABLES))
def test_every_row_names_its_item_its_generation_and_where_it_came_from(table: str) -> None:
    names = set(TABLES[table].names)

    assert ITEM_COLUMN[table] in names
    assert {
        "source", "url", "licence", "source_sha256", "fetched_at", "generation", "config_hash",
        "medpipe_version", "schema_version", "models",
    } <= names  # fmt: skip


@pytest.mark.parametrize("table", list(TABLES))
def test_files_say_their_schema_version_and_config(table: str) -> None:
    schema = file_schema(table, "c0ffee")

    assert schema.equals(TABLES[table])
    assert schema.metadata[b"medpipe.schema_version"] == str(SCHEMA_VERSION).encode()
    assert schema.metadata[b"medpipe.config_hash"] == b"c0ffee"
