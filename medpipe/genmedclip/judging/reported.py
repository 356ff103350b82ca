"""Figures that papers report, kept apart from what is measured here."""

from functools import cache
from importlib import resources
from typing import Any

import yaml

from medpipe.genmedclip.judging.results import Reported


def figures() -> tuple[Reported, ...]:
    """All reported figures, each with its citation."""
    return tuple(Reported(**row) for row in _file()["figures"])


def version() -> str:
    """Version of the list."""
    return str(_file()["version"])


@cache
def _file() -> dict[str, Any]:
    folder = resources.files("medpipe.genmedclip") / "suites"
    tree: dict[str, Any] = yaml.safe_load((folder / "reported" / "figures.yaml").read_text("utf-8"))
    return tree
