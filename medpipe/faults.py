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
| `hang` | it sleeps until the fault is no longer in the file |
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
from pathlib import Path
from typing import Literal, TypeVar, cast

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


_LIST = TypeAdapter(list[Fault])


def at(point: str, item: str = "") -> None:
    """Pass a point; costs one look into the environment when faults are off.

    Args:
        point: Its name, unique in medpipe.
        item: What passes: an item's id, or a table's name.
    """
    if VARIABLE in os.environ and (fault := _due(point, item)):
        _act(fault)


def given(point: str, item: str, value: _T) -> _T:
    """Pass on what a step gives, unless a fault puts garbage in its place."""
    if VARIABLE in os.environ and (fault := _due(point, item)):
        if fault.action == "garbage":
            return cast(_T, "garbage")
        _act(fault)
    return value


def _due(point: str, item: str) -> Fault | None:
    """The first fault whose turn it is, after noting the passing."""
    for number, fault in enumerate(_faults()):
        if fault.point == point and fault.item in item:
            passed = _note(f"{number} {point} {item}")
            if passed >= fault.skip and (fault.times is None or passed < fault.skip + fault.times):
                return fault
    return None


def _faults() -> list[Fault]:
    try:
        return _LIST.validate_json(Path(os.environ[VARIABLE]).read_bytes())
    except FileNotFoundError:
        return []


def _note(passing: str) -> int:
    """Add a line to the log; returns how many of this fault were there before."""
    number = passing.split(" ", 1)[0]
    with Path(f"{os.environ[VARIABLE]}.log").open("a+", encoding="utf-8") as log:
        fcntl.flock(log, fcntl.LOCK_EX)
        log.seek(0)
        before = sum(line.split(" ", 1)[0] == number for line in log)
        log.write(f"{passing} {os.getpid()}\n")
    return before


def _act(fault: Fault) -> None:
    match fault.action:
        case "raise":
            raise FaultError("a fault that a test asked for")
        case "exit":
            sys.exit("a fault that a test asked for")
        case "sigkill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "sigsegv":
            ctypes.string_at(0)
        case "hang":
            while fault in _faults():
                time.sleep(0.1)
        case "eat_memory":
            _eat_memory()
        case "enospc":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _eat_memory() -> None:
    eaten = []
    for _ in range(_BITES):
        eaten.append(bytearray(os.urandom(1) * _BITE_BYTES))
        time.sleep(0.05)
    raise MemoryError(f"{len(eaten)} bites were eaten and nobody minded")
