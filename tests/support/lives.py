"""What processes hold while they live: samples of memory and file handles, and their slopes."""

import time
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np
import psutil

MIB = 2**20
_SHORTEST_S = 60.0


@dataclass
class Life:
    """One process; a sample is (seconds, bytes of its own, file handles)."""

    process: psutil.Process
    samples: list[tuple[float, int, int]] = field(default_factory=list)

    def look(self) -> None:
        """Take a sample, if it lives."""
        with suppress(psutil.Error):
            memory = self.process.memory_info()
            own_bytes = memory.rss - memory.shared
            self.samples.append((time.monotonic(), own_bytes, self.process.num_fds()))

    def after(self, warm_s: float) -> "np.ndarray[tuple[int, int], np.dtype[np.float64]]":
        """The samples taken later than a while after the first."""
        if not self.samples:
            return np.empty((0, 3))
        began_s = self.samples[0][0]
        kept = [s for s in self.samples if s[0] - began_s >= warm_s]
        return np.array(kept, np.float64).reshape(-1, 3)

    def slopes(self, warm_s: float) -> str:
        """MiB and file handles an hour after a while of warming up, in words."""
        kept = self.after(warm_s)
        if len(kept) < 10 or kept[-1, 0] - kept[0, 0] < _SHORTEST_S:
            return "lived too short for a slope"
        hours = (kept[:, 0] - kept[0, 0]) / 3600
        mib = np.polyfit(hours, kept[:, 1] / MIB, 1)[0]
        handles = np.polyfit(hours, kept[:, 2], 1)[0]
        return f"{mib:+.1f} MiB and {handles:+.1f} handles an hour, at {kept[-1, 1] / MIB:.0f} MiB"

    def growth(self, warm_s: float) -> tuple[float, float]:
        """MiB and file handles by which the last third of the samples lies over the first."""
        kept = self.after(warm_s)
        if len(kept) < 10:
            return 0.0, 0.0
        third = len(kept) // 3
        grown = np.median(kept[-third:], axis=0) - np.median(kept[:third], axis=0)
        return float(grown[1] / MIB), float(grown[2])
