"""A worker's scratch folder does not outlive the worker."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from medpipe.runtime.scratch import PREFIX, Scratch
from tests.support.faults import wait_for

CODE = """
import sys, time
from medpipe.runtime.scratch import Scratch
scratch = Scratch(sys.argv[1])
(scratch.path / "file").write_bytes(b"x" * 100_000)
print(scratch.path, flush=True)
time.sleep(600)
"""


def folders(parent: Path) -> list[Path]:
    return list(parent.glob(f"{PREFIX}*"))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_the_folder_of_a_killed_process_goes_at_once(tmp_path: Path, number: int) -> None:
    worker = subprocess.Popen(
        [sys.executable, "-c", CODE, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert worker.stdout is not None
    folder = Path(worker.stdout.readline().strip())
    assert (folder / "file").stat().st_size == 100_000

    worker.send_signal(number)
    worker.communicate()

    wait_for(lambda: not folder.exists(), "the folder to go")


def test_the_folder_is_removed_when_asked(tmp_path: Path) -> None:
    scratch = Scratch(str(tmp_path))
    assert folders(tmp_path) == [scratch.path]

    scratch.remove()

    assert folders(tmp_path) == []


def test_what_a_killed_machine_left_is_swept_and_what_lives_stays(tmp_path: Path) -> None:
    dead = subprocess.Popen(["true"])
    dead.wait()
    (tmp_path / f"{PREFIX}{dead.pid}-abc").mkdir()
    mine = Scratch(str(tmp_path))

    other = Scratch(str(tmp_path))

    assert set(folders(tmp_path)) == {mine.path, other.path}
