"""On which machine and of which commit figures were taken."""

import os
import platform
import subprocess
from pathlib import Path


def about() -> dict[str, str]:
    """Machine and commit, for the head of a result file."""
    return {"machine": f"{os.cpu_count()} x {_cpu()}, {platform.machine()}", "commit": _commit()}


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return "unknown CPU"
    return next((line.split(": ")[1] for line in lines if line.startswith("model name")), "CPU")


def _commit() -> str:
    try:
        done = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
        )
    except OSError:
        return "unknown"
    return done.stdout.strip() or "unknown"
