"""Compares datasets row by row, leaving out what may differ between equal runs."""

import json
from pathlib import Path
from typing import Any

from medpipe import Dataset, open_store
from medpipe.dataset import TABLES

# Fetch times, timings and generations stand outside of "the same answer".
_OUTSIDE = ("fetched_at", "timings", "generation", "cost_usd")


def rows_of(out: Path | str) -> dict[str, list[str]]:
    """Every row of every table as sorted JSON text, without what stands outside."""
    dataset = Dataset(open_store(str(out)))
    return {table: sorted(map(_text, dataset.batches(table))) for table in TABLES}


def _text(row: dict[str, Any]) -> str:
    kept = {key: value for key, value in row.items() if key not in _OUTSIDE}
    return json.dumps(kept, sort_keys=True, default=repr)


def files_of(out: Path) -> set[str]:
    """Every file under a dataset except the queue's own."""
    return {
        str(path.relative_to(out))
        for path in out.rglob("*")
        if path.is_file() and "_queue.sqlite" not in path.name
    }
