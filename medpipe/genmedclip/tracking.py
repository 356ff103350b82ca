"""Figures of a run: a line of JSON and a TensorBoard point each time, kept with the run.

TensorBoard files are what every tracking service can take in.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

from medpipe.storage import ObjectStore


class Tracker:
    """Keeps the figures of one start of a run and brings them to the run's store.

    Args:
        store: Of the run.
        settings: Told once: the config as flat text.
        step: First step of this start.
    """

    def __init__(self, store: ObjectStore, settings: dict[str, Any], step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._store = store
        self._first = step
        self._lines: list[str] = []
        self._folder = tempfile.TemporaryDirectory(prefix="medpipe-tensorboard-")
        self._writer = SummaryWriter(self._folder.name, purge_step=step)
        self._writer.add_text("config", f"```\n{json.dumps(settings, indent=1)}\n```")

    def log(self, step: int, figures: dict[str, float]) -> None:
        """Note figures of a step."""
        self._lines.append(json.dumps({"step": step, **figures}))
        for name, value in figures.items():
            self._writer.add_scalar(name, value, step)

    def flush(self) -> None:
        """Bring what was noted to the run's store."""
        self._writer.flush()
        self._store.write(f"log/from-{self._first:09d}.jsonl", "\n".join(self._lines).encode())
        for path in sorted(Path(self._folder.name).rglob("events.*")):
            self._store.write(f"tensorboard/{path.name}", path.read_bytes())

    def close(self) -> None:
        """Flush for the last time."""
        self._writer.close()
        self.flush()
        self._folder.cleanup()


def read_log(store: ObjectStore) -> list[dict[str, float]]:
    """All figures of a run by rising step; what a restart repeated counts as it went last."""
    by_step: dict[int, dict[str, float]] = {}
    for key in store.keys("log"):
        lines = [json.loads(line) for line in store.read(key).decode().splitlines()]
        if lines:
            first = lines[0]["step"]
            by_step = {step: line for step, line in by_step.items() if step < first}
        by_step.update({line["step"]: line for line in lines})
    return [by_step[step] for step in sorted(by_step)]
