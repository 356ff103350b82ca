"""Align: words, pointer trace and image into narrations with boxes. Pure numpy."""

from medpipe.stages.align.config import AlignConfig, BoxConfig, GestureConfig, KMeansConfig
from medpipe.stages.align.heat import heat_map
from medpipe.stages.align.narrate import align
from medpipe.stages.align.within import within

__all__ = [
    "AlignConfig",
    "BoxConfig",
    "GestureConfig",
    "KMeansConfig",
    "align",
    "heat_map",
    "within",
]
