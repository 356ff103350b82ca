"""medpipe: medical teaching videos and articles into localized narratives.

The names below are the public API; each is loaded on first use, so that `import medpipe` costs
nothing and brings neither Ray nor torch. The main job is `medpipe.runtime.curate`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from medpipe.config import MedpipeConfig, load_config
    from medpipe.dataset import Dataset
    from medpipe.errors import ConfigError, MedpipeError, Rejected, Transient
    from medpipe.pipeline import run_item
    from medpipe.records import (
        Box,
        Domain,
        Extraction,
        Item,
        Narration,
        PointerKind,
        Scene,
        Trace,
        Transcript,
        Video,
        Word,
    )
    from medpipe.storage import open_store

_HOMES = {
    "medpipe.config": ("MedpipeConfig", "load_config"),
    "medpipe.dataset": ("Dataset",),
    "medpipe.errors": ("ConfigError", "MedpipeError", "Rejected", "Transient"),
    "medpipe.pipeline": ("run_item",),
    "medpipe.records": (
        "Box",
        "Domain",
        "Extraction",
        "Item",
        "Narration",
        "PointerKind",
        "Scene",
        "Trace",
        "Transcript",
        "Video",
        "Word",
    ),
    "medpipe.storage": ("open_store",),
}

__all__ = [
    "Box",
    "ConfigError",
    "Dataset",
    "Domain",
    "Extraction",
    "Item",
    "MedpipeConfig",
    "MedpipeError",
    "Narration",
    "PointerKind",
    "Rejected",
    "Scene",
    "Trace",
    "Transcript",
    "Transient",
    "Video",
    "Word",
    "load_config",
    "open_store",
    "run_item",
]


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(home), name)
    raise AttributeError(f"module 'medpipe' has no attribute {name!r}")
