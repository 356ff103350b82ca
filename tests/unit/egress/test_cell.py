import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from medpipe.egress import cell
from tests.support.canary import Canary

TRY_SOCKETS = """
import socket, subprocess, sys
for family in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX, socket.AF_NETLINK):
    try:
        socket.socket(family)
        print("open")
    except PermissionError:
        print("closed")
code = "import socket; socket.socket()"
print(subprocess.run([sys.executable, "-c", code], stderr=subprocess.DEVNULL).returncode)
"""


def in_cell(program: str, *arguments: str, given: str = "") -> str:
    command: Sequence[str] = (sys.executable, "-I", str(cell.__file__), program, *arguments)
    done = subprocess.run(
        command, input=given, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_program_in_a_cell_and_its_children_open_no_socket() -> None:
    assert in_cell(sys.executable, "-c", TRY_SOCKETS).split() == ["closed"] * 4 + ["1"]


def test_a_program_in_a_cell_works_otherwise() -> None:
    assert in_cell(sys.executable, "-c", "print(sum(map(int, input().split())))", given="2 3") == (
        "5\n"
    )


@pytest.mark.system
def test_a_players_script_in_node_does_not_reach_the_machine(tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs node: apt install nodejs")
    script = (
        "const s = require('net').connect({port}, '127.0.0.1');"
        "s.on('error', e => console.log(e.code)); s.on('connect', () => s.end('x'));"
    )
    with Canary() as canary:
        text = script.replace("{port}", str(canary.port))
        launcher = cell.write_launcher(tmp_path, node)
        run = [str(launcher), "-"]
        done = subprocess.run(
            run, input=text, capture_output=True, text=True, timeout=60, check=False
        )
        told = done.stdout
        within = list(canary.touched)
        subprocess.run([node, "-"], input=text, text=True, timeout=60, check=True)

    assert told == "EACCES\n"
    assert within == []
    assert [name for name, _ in canary.touched] == ["127.0.0.1"]  # the canary sings, without a cell


def test_a_launcher_bears_the_programs_name_and_is_private(tmp_path: Path) -> None:
    launcher = cell.write_launcher(tmp_path, sys.executable)

    assert launcher.name == Path(sys.executable).name
    assert launcher.stat().st_mode & 0o077 == 0
    told = subprocess.run([launcher, "-c", "print(1)"], capture_output=True, text=True, check=True)
    assert told.stdout == "1\n"


def test_a_program_that_is_not_there_ends_with_a_code_of_its_own() -> None:
    run = [sys.executable, "-I", str(cell.__file__), "/not/there"]

    done = subprocess.run(run, capture_output=True, text=True, check=False)

    assert done.returncode == cell.CANNOT_START
    assert "is not started without a cell" in done.stderr


def test_a_machine_whose_numbers_nobody_looked_up_gets_no_cell() -> None:
    with pytest.raises(KeyError):
        cell.filter_of("pdp11")


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_every_jump_of_the_filter_lands_inside_it(machine: str) -> None:
    steps = [cell.filter_of(machine)[i : i + 8] for i in range(0, len(cell.filter_of(machine)), 8)]

    for place, step in enumerate(steps):
        assert place + 1 + max(step[2], step[3]) <= len(steps)
    assert os.fsdecode(steps[-1][:1]) == "\x06"
