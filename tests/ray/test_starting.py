"""Workers that Ray can never start end the job; who is told to end while Ray is up says so."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.jobs import short_lectures
from tests.support.nodes import ENV

pytestmark = [pytest.mark.ray, pytest.mark.timeout(300)]

# As `ray job submit --runtime-env` has it: the driver runs, none of its workers can.
RUN = """
import ray
from medpipe.cli import main
ray.init(
    address="local", num_cpus=3, include_dashboard=False, log_to_driver=False,
    namespace="medpipe", runtime_env={"conda": "no-such-env"},
)
main()
"""


def test_an_environment_that_cannot_be_made_ends_the_job_and_is_named(tmp_path: Path) -> None:
    (lecture,) = short_lectures(tmp_path / "lectures", [570])

    ran = subprocess.run(
        [sys.executable, "-c", RUN, "run", lecture, "--out", tmp_path / "out", "--recipe", "demo"],
        env={**os.environ, **ENV},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )

    assert ran.returncode == 1, ran.stderr
    assert "the job cannot go on" in ran.stderr
    assert "worker_cannot_start" in ran.stderr
    assert "conda" in ran.stderr


# Before its own handler is in place, and while it leaves Ray, a job is in such a block.
WAIT = """
import time
from medpipe import cli, load_config
from medpipe.runtime.cluster import connected

def wait():
    with connected(load_config().runtime, 1):
        print("up", flush=True)
        time.sleep(120)

cli.app.app.command()(wait)
cli.main(["wait"])
"""


def test_a_job_that_is_terminated_while_it_takes_none_on_exits_as_interrupted() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", WAIT],
        env={**os.environ, **ENV},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()

    assert process.returncode == 130, err
