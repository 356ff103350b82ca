"""What `ray job submit` starts: thin scripts with the arguments and exit codes of their verb."""

import subprocess
import sys
from pathlib import Path

import pytest

JOBS = sorted((Path(__file__).parents[2] / "jobs").glob("*.py"))
VERBS = {"curate": "run", "train": "train", "evaluate": "evaluate"}


def started(job: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, job, *arguments], capture_output=True, text=True, check=False, timeout=120
    )


def test_there_is_a_job_for_each_verb_that_runs_long() -> None:
    assert {job.stem for job in JOBS} == set(VERBS)


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.stem)
def test_a_job_is_thin_and_offers_what_its_verb_offers(job: Path) -> None:
    assert len(job.read_text().splitlines()) < 40
    shown = started(job, "--help")
    assert shown.returncode == 0
    assert f" {VERBS[job.stem]} [OPTIONS]" in shown.stdout


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.stem)
def test_a_job_ends_with_the_exit_code_of_wrong_usage(job: Path) -> None:
    refused = started(job, "nowhere", "medical12", "--out", "x", "--set", "runtime.nothing=1")
    assert refused.returncode == 2, refused.stderr
