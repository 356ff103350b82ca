"""The driver's memory grows by a few KB at most with an item that it has committed."""

import json
import subprocess
import sys

import pytest

ITEMS = 5_000

DRIVE = """
import json, sys
from benchmarks.driving import IN_FLIGHT, Writer, cluster, drive

with cluster():
    drive(200, Writer, commits=True)
    run = drive(int(sys.argv[1]), Writer, commits=True, overrides=IN_FLIGHT)
print(json.dumps([run.tally.done, run.slope_bytes, run.memory[-1][1]]))
"""


@pytest.mark.soak
@pytest.mark.ray
@pytest.mark.timeout(1800)
def test_a_driver_that_commits_thousands_of_items_stays_nearly_as_small() -> None:
    done = subprocess.run(
        [sys.executable, "-c", DRIVE, str(ITEMS)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr

    items, slope_bytes, end_bytes = json.loads(done.stdout.splitlines()[-1])

    sys.stdout.write(f"{slope_bytes:.0f} bytes an item, {end_bytes / 2**20:.0f} MiB at the end\n")
    assert items == ITEMS
    assert slope_bytes < 8192  # 36 KB when each item was a file and each commit opened the tables
