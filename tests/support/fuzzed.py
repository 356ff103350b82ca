"""Acquires and extracts files, each in a process of its own with limits, and tells how it ended.

Run as a program it reads paths from its input, one a line, forks for each, and writes a line of
JSON each: forking saves the seconds that imports take.
"""

import json
import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from medpipe.errors import Rejected, Transient
from medpipe.records import Item
from medpipe.stages.acquire import AcquireConfig, acquire
from medpipe.stages.acquire.edge import sha256_of
from medpipe.stages.extract import ExtractConfig, extract

DEADLINE_S = 60.0
CPU_S = 20
MEMORY_BYTES = 2 * 2**30
_FORK = multiprocessing.get_context("fork")


@dataclass(frozen=True)
class End:
    """How one file ended.

    Attributes:
        how: `video`, `rejected`, `transient`, `bug`, `signal` or `late`.
        detail: Reason code, traceback or number of the signal.
        frames: Decoded frames of a video.
        peak_bytes: Most memory that was resident.
    """

    how: str
    detail: str
    frames: int
    peak_bytes: int


def ends_of(paths: Iterable[Path]) -> Iterator[End]:
    """Put files through acquire and extract."""
    command = [sys.executable, "-m", "tests.support.fuzzed"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        for path in paths:
            child.stdin.write(f"{path}\n")
            child.stdin.flush()
            yield End(**json.loads(child.stdout.readline()))
        child.stdin.close()


def _worked(path: Path) -> tuple[str, str, int]:
    item = Item(id=f"file:{sha256_of(path)}", uri=str(path))
    try:
        with tempfile.TemporaryDirectory() as folder:
            video = acquire(item, Path(folder), AcquireConfig(require_audio=False))
            found = extract(video.path, Path(folder), ExtractConfig())
    except Rejected as error:
        return "rejected", error.code, 0
    except Transient as error:
        return "transient", error.code, 0
    return "video", "", found.frames


def _child(path: Path, told: Connection, complaints: int) -> None:
    """Work under limits; what is raised here is printed by the process that ends of it."""
    os.dup2(complaints, 2)
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    how, detail, frames = _worked(path)
    peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    told.send(End(how, detail, frames, peak_bytes))


def _end_of(path: Path) -> End:
    """Fork, work in the child, wait for it or kill it."""
    reader, writer = _FORK.Pipe(duplex=False)
    with tempfile.TemporaryFile() as complaints:
        child = _FORK.Process(target=_child, args=(path, writer, complaints.fileno()))
        child.start()
        writer.close()
        child.join(DEADLINE_S)
        if child.exitcode is None:
            child.kill()
            child.join()
            return End("late", f"after {DEADLINE_S:.0f} s", 0, 0)
        if child.exitcode < 0:
            return End("signal", str(-child.exitcode), 0, 0)
        if child.exitcode > 0:
            complaints.seek(0)
            return End("bug", complaints.read()[-4000:].decode(errors="replace"), 0, 0)
        end: End = reader.recv()
        return end


def main() -> None:
    """Serve paths until the input ends."""
    for line in sys.stdin:
        sys.stdout.write(json.dumps(vars(_end_of(Path(line.rstrip("\n"))))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
