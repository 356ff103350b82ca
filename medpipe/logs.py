"""One way to log, for people or for machines, in the driver and in every worker; secrets masked."""

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import IO, Literal

from pydantic import Field

from medpipe.records import Record
from medpipe.secrets import mask

Value = str | int

_process: dict[str, Value] = {}
_bound: ContextVar[dict[str, Value] | None] = ContextVar("medpipe_log_fields", default=None)


class LogConfig(Record):
    """What medpipe's processes say on standard error; a worker's lies in Ray's log folder."""

    format: Literal["text", "json"] = Field(
        "text", description="`json`: an object a line, with item id, attempt, stage and worker."
    )
    level: Literal["debug", "info", "warning", "error"] = Field(
        "warning", description="Of medpipe's own; libraries are heard from `warning` on."
    )


class _Handler(logging.StreamHandler[IO[str]]):
    """Ours, to be known from others' when it is replaced."""


def set_up(config: LogConfig, stream: IO[str] | None = None, **fields: Value) -> None:
    """Log as configured from here on, in this process.

    Args:
        config: How.
        stream: Where to; None: standard error.
        fields: What every line of this process says, e.g. its worker's name.
    """
    _process.clear()
    _process.update(fields)
    handler = _Handler(stream or sys.stderr)
    handler.setFormatter(_Json() if config.format == "json" else _Text())
    root, own = logging.getLogger(), logging.getLogger("medpipe")
    for old in [handler for handler in root.handlers if isinstance(handler, _Handler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    own.setLevel(config.level.upper())
    root.setLevel(logging.WARNING)


def for_machines() -> bool:
    """Whether this process's lines are objects, so that nothing else should stand between them."""
    return any(isinstance(handler.formatter, _Json) for handler in logging.getLogger().handlers)


@contextmanager
def bound(**fields: Value) -> Iterator[None]:
    """Say these fields on every line that this thread logs inside the block."""
    token = _bound.set({**(_bound.get() or {}), **fields})
    try:
        yield
    finally:
        _bound.reset(token)


def _fields() -> dict[str, Value]:
    return {**_process, **(_bound.get() or {})}


class _Text(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(levelname)s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """A line for people, with what is known of the item behind it."""
        known = " ".join(f"{name}={value}" for name, value in _fields().items())
        return mask(super().format(record)) + (f" [{known}]" if known else "")


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        """One JSON object."""
        line: dict[str, Value] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": mask(record.getMessage()),
            **_fields(),
        }
        if record.exc_info:
            line["exception"] = mask(self.formatException(record.exc_info))
        return json.dumps(line)
