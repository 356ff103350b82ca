"""Kill -9 the driver whenever: the dataset is that of an undisturbed run."""

import os
import random
import signal
import subprocess
from pathlib import Path

import pytest

from benchmarks.lectures import make_lecture, random_spec
from tests.support import command
from tests.support.datasets import files_of, rows_of

KILLS = 20 if os.environ.get("MEDPIPE_SOAK") == "full" else 5


@pytest.fixture(scope="module")
def lectures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lectures")
    for seed in range(4):
        spec = random_spec(
            700 + seed, width_px=320, height_px=240, fps=12, duration_s=6, speech="none"
        )
        make_lecture(spec, folder)
    (folder / "noise.mp4").write_bytes(random.Random(1).randbytes(50_000))
    return folder


@pytest.mark.ray
@pytest.mark.timeout(900)
def test_kill_dash_nine_at_random_moments_changes_no_row(lectures: Path, tmp_path: Path) -> None:
    calm, killed = tmp_path / "calm", tmp_path / "killed"
    whole = command.run("run", lectures, "--out", calm, "--recipe", "demo", "--json")
    assert whole.code == 0, whole.err
    moments = random.Random(20)
    for _ in range(KILLS):
        process = command.start(["run", lectures, "--out", killed, "--recipe", "demo"])
        try:
            process.wait(timeout=moments.uniform(1, 1.1 * whole.json["wall_s"]))
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
        process.communicate()

    last = command.run("run", lectures, "--out", killed, "--recipe", "demo", "--json")

    assert last.code == 0, last.err
    assert rows_of(killed) == rows_of(calm)
    assert last.json["funnel"]["items"] == 5
    assert last.json["funnel"]["rejected"] == 1


@pytest.mark.ray
def test_a_second_run_writes_nothing_and_says_so(lectures: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = command.run("run", lectures, "--out", out, "--recipe", "demo")
    assert first.code == 0, first.err
    before = files_of(out)

    again = command.run("run", lectures, "--out", out, "--recipe", "demo")

    assert again.code == 0
    assert "nothing new" in again.out
    assert files_of(out) == before
