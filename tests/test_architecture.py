"""The rules of the house, checked on its source: who imports whom, and how long anything is."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "medpipe").rglob("*.py"))
Function = ast.FunctionDef | ast.AsyncFunctionDef

# Where anything that was raised must be caught: a call's failure goes to `blame`,
# the downloader passes on what happened, the guard and the cluster's start say it better.
BROAD_EXCEPT = {
    "medpipe/runtime/cluster.py",
    "medpipe/runtime/driver.py",
    "medpipe/stages/acquire/downloader.py",
    "medpipe/egress/guard.py",
}

PURE = [
    *(ROOT / "medpipe/stages/align").glob("*.py"),
    *(ROOT / "medpipe/stages/refine").glob("*.py"),
    *(p for p in (ROOT / "medpipe/stages/extract").glob("*.py") if p.name != "edge.py"),
    *(p for p in (ROOT / "medpipe/stages/classify").glob("*.py") if p.name != "reading.py"),
    *(ROOT / "medpipe/scheduling").glob("*.py"),
]
IMPURE = {"os", "pathlib", "shutil", "tempfile", "socket", "subprocess", "logging", "time", "io"}


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def functions(path: Path) -> Iterator[Function]:
    return (node for node in ast.walk(tree(path)) if isinstance(node, Function))


def imports(path: Path) -> set[str]:
    """Top-level names of the modules that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


def calls(path: Path, function: str) -> list[int]:
    """Lines on which a file calls a bare function."""
    return [
        node.lineno
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == function
    ]


def test_the_import_contracts_are_kept() -> None:
    lint = Path(sys.executable).with_name("lint-imports")

    done = subprocess.run([str(lint)], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout[-3000:]


def test_no_package_imports_itself_in_a_circle() -> None:
    graph = grimp.build_graph("medpipe", cache_dir=None)
    rooms = sorted(graph.find_children("medpipe"))
    # `medpipe` itself only names its rooms; they may ask it for its version.
    below = {
        room: {
            other
            for other in rooms
            if other != room and graph.direct_import_exists(
                importer=room, imported=other, as_packages=True
            )
        }
        for room in rooms
    }  # fmt: skip
    while leaves := {room for room, others in below.items() if not others & below.keys()}:
        below = {room: others for room, others in below.items() if room not in leaves}

    assert not below


def test_files_are_short() -> None:
    lines = {name(path): len(path.read_text("utf-8").splitlines()) for path in FILES}
    by_length = sorted(lines.values())

    assert {path: n for path, n in lines.items() if n > 450} == {}
    assert by_length[int(0.9 * len(by_length))] <= 300


def test_functions_are_short() -> None:
    lengths = {
        f"{name(path)}:{f.lineno} {f.name}": (f.end_lineno or f.lineno) - f.lineno + 1
        for path in FILES
        for f in functions(path)
    }

    assert {where: n for where, n in lengths.items() if n > 60} == {}
    assert sorted(lengths.values())[int(0.9 * len(lengths))] <= 35


@pytest.mark.parametrize("path", FILES, ids=name)
def test_what_is_public_has_a_docstring(path: Path) -> None:
    module = tree(path)
    bare = [
        node.name
        for node in ast.walk(module)
        if isinstance(node, Function | ast.ClassDef)
        and not node.name.startswith("_")
        and not is_inner(node, module)
        and not ast.get_docstring(node)
    ]

    assert ast.get_docstring(module)
    assert bare == []


def is_inner(node: ast.AST, module: ast.Module) -> bool:
    """Whether a definition lies inside a function or a private class."""
    return any(
        node is not outer and node in ast.walk(outer)
        for outer in ast.walk(module)
        if isinstance(outer, Function)
        or (isinstance(outer, ast.ClassDef) and outer.name.startswith("_"))
    )


def test_nothing_prints() -> None:
    assert {name(path): calls(path, "print") for path in FILES if calls(path, "print")} == {}


def test_nothing_is_left_to_do_in_the_source() -> None:
    marks = ("TODO", "FIXME", "XXX", "HACK")
    left = [
        f"{name(path)}: {line.strip()}"
        for path in FILES
        for line in path.read_text("utf-8").splitlines()
        if any(mark in line for mark in marks)
    ]

    assert left == []


def test_exceptions_are_caught_by_name() -> None:
    broad = {
        name(path)
        for path in FILES
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or (isinstance(node.type, ast.Name) and node.type.id == "Exception"))
    }

    assert broad <= BROAD_EXCEPT


def test_ray_is_in_few_modules_and_one_room() -> None:
    with_ray = {name(path) for path in FILES if "ray" in imports(path)}

    assert {path for path in with_ray if not path.startswith("medpipe/runtime/")} == set()
    assert len(with_ray) <= 0.08 * len(FILES)


@pytest.mark.parametrize("path", PURE, ids=name)
def test_an_algorithm_touches_no_disk_no_clock_and_no_net(path: Path) -> None:
    assert imports(path) & IMPURE == set()
    assert calls(path, "open") == []
