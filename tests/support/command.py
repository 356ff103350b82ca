"""Runs the command line as its users do: as a process of its own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def start(arguments: Sequence[str | Path], **env: str) -> subprocess.Popen[str]:
    """Start `medpipe ...` in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "medpipe", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **env},
        start_new_session=True,
    )


def run(*arguments: str | Path, timeout_s: float = 240, **env: str) -> Ran:
    """Run `medpipe ...` to its end."""
    process = start(arguments, **env)
    try:
        out, err = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        raise AssertionError(f"{arguments} hung; it said:\n{out}\n{err}") from None
    return Ran(process.returncode, out, err)
