"""Writes the file that MEDPIPE_FAULTS names, and reads what passed the points it covers."""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Passing:
    """One process that passed a point which a fault covers."""

    fault: int
    point: str
    item: str
    pid: int


class Faults:
    """The faults of one file; none until `set`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._log = path.with_name(f"{path.name}.log")

    @classmethod
    def of_session(cls) -> "Faults":
        """Those that the session's cluster looks at."""
        return cls(Path(os.environ["MEDPIPE_FAULTS"]))

    @property
    def env(self) -> dict[str, str]:
        """For a process that shall look at this file."""
        return {"MEDPIPE_FAULTS": str(self.path)}

    def set(self, *faults: dict[str, Any]) -> None:
        """Put these faults in place of all others and count anew."""
        self.clear()
        fresh = self.path.with_suffix(".new")
        fresh.write_text(json.dumps(faults))
        fresh.replace(self.path)

    def clear(self) -> None:
        """No faults from now on."""
        self.path.unlink(missing_ok=True)
        self._log.unlink(missing_ok=True)

    def passed(self, point: str | None = None) -> list[Passing]:
        """What passed, in order."""
        if not self._log.exists():
            return []
        found = []
        for line in self._log.read_text("utf-8").splitlines():
            fault, at, *item, pid = line.split(" ")
            if point in (None, at):
                found.append(Passing(int(fault), at, " ".join(item), int(pid)))
        return found


@contextmanager
def faults_at(path: Path) -> Iterator[Faults]:
    """Faults in a file of their own, cleared in the end."""
    faults = Faults(path)
    faults.clear()
    try:
        yield faults
    finally:
        faults.clear()


def wait_for(met: Callable[[], Any], what: str, within_s: float = 120) -> Any:
    """Wait until something is met and return it; fails when it does not come in good time."""
    end_s = time.monotonic() + within_s
    while not (found := met()):
        if time.monotonic() > end_s:
            raise AssertionError(f"waited {within_s:.0f} s in vain for {what}")
        time.sleep(0.05)
    return found
