"""A worker's scratch folder: it goes when the worker ends, however that comes about."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

PREFIX = "medpipe-scratch-"

# Reads until the worker's end closes the pipe, then removes the folder. As the background of a
# shell that has ended it is nobody's child: Ray kills a worker's children with the worker.
_REMOVER = 'exec 3<&0; (cat <&3; exec rm -rf -- "$1") >/dev/null 2>&1 &'


class Scratch:
    """A folder of this process's own.

    Args:
        parent: Where to make it; None for the system's temporary folder. What processes that were
            killed together with their removers left there is swept first.
    """

    def __init__(self, parent: str | None) -> None:
        folder = Path(parent or tempfile.gettempdir())
        _sweep(folder)
        self.path = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=folder))
        command = ["/bin/sh", "-c", _REMOVER, PREFIX, str(self.path)]
        self._shell = subprocess.Popen(
            command, stdin=subprocess.PIPE, cwd="/", start_new_session=True
        )
        self._shell.wait()

    def remove(self) -> None:
        """Remove it now."""
        shutil.rmtree(self.path, ignore_errors=True)


def _sweep(folder: Path) -> None:
    for path in folder.glob(f"{PREFIX}*-*"):
        pid = path.name.removeprefix(PREFIX).split("-")[0]
        if pid.isdigit() and not Path("/proc", pid).exists():
            shutil.rmtree(path, ignore_errors=True)
