"""Commits, or compacts, in a process that is killed at a point of its way."""

import multiprocessing as mp
import os
import signal
from collections.abc import Sequence
from pathlib import Path

from medpipe import faults
from medpipe.dataset import Committer, Manifest
from medpipe.storage import open_store
from tests.support.faults import faults_at


def die_at(point: str, table: str, root: Path, manifests: Sequence[Manifest]) -> None:
    """Commit manifests to a folder, or compact it if there are none, and be killed at a point."""
    with faults_at(root.parent / "dying.json") as planned:
        planned.set({"point": point, "item": table, "action": "sigkill"})
        process = mp.get_context("spawn").Process(
            target=_act, args=(root, planned.path, list(manifests))
        )
        process.start()
        process.join(120)
        assert process.exitcode == -signal.SIGKILL


def _act(root: Path, planned: Path, manifests: list[Manifest]) -> None:
    os.environ[faults.VARIABLE] = str(planned)
    committer = Committer(open_store(str(root)))
    committer.commit(manifests)
    if not manifests:
        committer.compact()
