"""Faults on demand: a seam for tests, compiled in and off unless MEDPIPE_FAULTS names a file.

The file is a JSON list and is read at every passing of a point, so a test may change it while a
cluster runs (workers inherit the variable from whoever started the cluster):

    [{"point": "extract", "item": "file:ab", "action": "sigkill", "skip": 0, "times": 1}]

`item` is any part of the id (or name) that the point passes, so one item can be poison wherever it
goes. Every passing that a fault covers is one line of `<file>.log`; this is also the count that
`skip` and `times` are held against, in all processes together.

| action | what happens at the point |
|---|---|
| `raise` | an exception that nobody expects |
| `exit`, `sigkill`, `sigsegv` | the process ends: politely, at once, by a bad address |
| `hang` | it sleeps for good |
| `eat_memory` | it takes 32 MiB twenty times a second, up to 8 GiB |
| `enospc` | the disk is full |
| `garbage` | what the step gives is replaced by a text (at points named `<step>.gives`) |
"""

import ctypes
import errno
import fcntl
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NoReturn, TypeVar, cast

from pydantic import Field, TypeAdapter

from medpipe.records import Record

VARIABLE = "MEDPIPE_FAULTS"

_T = TypeVar("_T")

_BITE_BYTES, _BITES = 32 << 20, 256


class FaultError(Exception):
    """What the action `raise` raises; no code of medpipe knows it."""


class Fault(Record):
    """One fault of the file.

    Attributes:
        point: Name of the point.
        item: Part of what the point passes; empty for all.
        action: See the module's docstring.
        skip: Passings that go well before the first that does not.
        times: Passings that do not; None for all from then on.
    """

    point: str
    item: str = ""
    action: Literal[
        "raise", "exit", "sigkill", "sigsegv", "hang", "eat_memory", "enospc", "garbage"
    ]
    skip: int = Field(0, ge=0)
    times: int | None = Field(None, ge=1)


_FAULTS = TypeAdapter(list[Fault])


def at(point: str, item: str = "") -> None:
    """Pass a point; costs one look into the environment when faults are off.

    Args:
        point: Its name, unique in medpipe.
        item: What passes: an item's id, or a table's name.
    """
    if VARIABLE in os.environ and (action := _due(point, item)):
        _ACTIONS[action]()


def given(point: str, item: str, value: _T) -> _T:
    """Pass on what a step gives, unless a fault puts garbage in its place."""
    if VARIABLE in os.environ and _due(point, item) == "garbage":
        return cast(_T, "garbage")
    return value


def _due(point: str, item: str) -> str | None:
    """The action of the first fault whose turn it is, after noting the passing."""
    path = Path(os.environ[VARIABLE])
    try:
        faults = _FAULTS.validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    for number, fault in enumerate(faults):
        if fault.point == point and fault.item in item:
            passed = _note(path, f"{number} {point} {item}", os.getpid())
            if passed >= fault.skip and (fault.times is None or passed < fault.skip + fault.times):
                return fault.action
    return None


def _note(path: Path, passing: str, pid: int) -> int:
    """Add a line to the log; returns how many of this fault were there before."""
    number = passing.split(" ", 1)[0]
    with path.with_name(f"{path.name}.log").open("a+", encoding="utf-8") as log:
        fcntl.flock(log, fcntl.LOCK_EX)
        log.seek(0)
        before = sum(line.split(" ", 1)[0] == number for line in log)
        log.write(f"{passing} {pid}\n")
    return before


def _raise() -> NoReturn:
    raise FaultError("a fault that a test asked for")


def _sigkill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _sigsegv() -> None:
    ctypes.string_at(0)


def _hang() -> NoReturn:
    while True:
        time.sleep(3600)


def _eat_memory() -> None:
    eaten = []
    for _ in range(_BITES):
        eaten.append(bytearray(os.urandom(1) * _BITE_BYTES))
        time.sleep(0.05)
    raise MemoryError(f"{len(eaten)} bites were eaten and nobody minded")


def _enospc() -> NoReturn:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


_ACTIONS: dict[str, Callable[[], None]] = {
    "raise": _raise,
    "exit": sys.exit,
    "sigkill": _sigkill,
    "sigsegv": _sigsegv,
    "hang": _hang,
    "eat_memory": _eat_memory,
    "enospc": _enospc,
    "garbage": lambda: None,
}
