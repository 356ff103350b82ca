"""Faults happen where, when and to whom the file says, and nowhere else."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from medpipe import faults
from medpipe.faults import FaultError
from tests.support.faults import Faults, faults_at

A, B = "file:aa", "file:bb"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Faults]:
    with faults_at(tmp_path / "faults.json") as file:
        monkeypatch.setenv(faults.VARIABLE, str(file.path))
        yield file


def passes(point: str, item: str = "") -> bool:
    try:
        faults.at(point, item)
    except FaultError:
        return False
    return True


def test_nothing_happens_while_no_file_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(faults.VARIABLE)

    faults.at("extract", A)
    assert faults.given("extract.gives", A, 1) == 1


def test_nothing_happens_while_the_file_is_not_there(file: Faults) -> None:
    faults.at("extract", A)


def test_a_fault_hits_its_point_and_its_item_only(file: Faults) -> None:
    file.set({"point": "extract", "item": "aa", "action": "raise"})

    assert [passes("extract", A), passes("extract", B), passes("write", A)] == [False, True, True]


def test_a_fault_that_names_no_item_hits_all(file: Faults) -> None:
    file.set({"point": "extract", "action": "raise"})

    assert not passes("extract", A)
    assert not passes("extract")


def test_the_nth_passing_is_hit_and_no_other(file: Faults) -> None:
    file.set({"point": "extract", "action": "raise", "skip": 2, "times": 1})

    assert [passes("extract") for _ in range(5)] == [True, True, False, True, True]
    assert [passing.point for passing in file.passed()] == ["extract"] * 5


def test_passings_are_counted_over_all_threads_and_processes(file: Faults) -> None:
    file.set({"point": "p", "action": "raise", "skip": 5, "times": 3})
    code = "from medpipe import faults\nfor _ in range(8): faults.at('p')"

    with ThreadPoolExecutor(4) as pool:
        hits = [not well for well in pool.map(lambda _: passes("p"), range(4))]
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)

    assert sum(hits) == 0
    assert b"FaultError" in ended.stderr
    assert len(file.passed("p")) == 6


def test_a_file_that_changes_counts_anew(file: Faults) -> None:
    for _ in range(2):
        file.set({"point": "p", "action": "raise", "times": 1})

        assert [passes("p"), passes("p")] == [False, True]


def test_garbage_takes_the_place_of_what_a_step_gives(file: Faults) -> None:
    file.set({"point": "extract.gives", "item": A, "action": "garbage"})

    assert faults.given("extract.gives", A, 1) == "garbage"
    assert faults.given("extract.gives", B, 1) == 1


def test_a_full_disk_is_an_os_error_of_that_number(file: Faults) -> None:
    file.set({"point": "p", "action": "enospc"})

    with pytest.raises(OSError, match="No space left on device"):
        faults.at("p")


def test_a_hang_ends_when_the_fault_is_taken_back(file: Faults) -> None:
    file.set({"point": "p", "action": "hang"})

    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(faults.at, "p")
        while not file.passed("p"):
            assert not hanging.done()
        file.clear()
        hanging.result(timeout=60)


@pytest.mark.parametrize(
    ("action", "code"),
    [("exit", 1), ("sigkill", -signal.SIGKILL), ("sigsegv", -signal.SIGSEGV)],
)
def test_a_process_ends_as_asked(file: Faults, action: str, code: int) -> None:
    file.set({"point": "p", "action": action})

    ended = subprocess.run(
        [sys.executable, "-c", "from medpipe import faults; faults.at('p')"],
        env=dict(os.environ),
        capture_output=True,
        check=False,
    )

    assert ended.returncode == code


def test_an_action_that_does_not_exist_is_refused(file: Faults) -> None:
    file.path.write_text(json.dumps([{"point": "p", "action": "explode"}]))

    with pytest.raises(ValueError, match="action"):
        faults.at("p")
