"""Clips that cover what real lectures show, with the exact truth of their pointer and scenes."""

from benchmarks.tracing.catalogue import DEV_SEEDS, HELD_SEEDS, KINDS, clip
from benchmarks.tracing.make import ClipPaths, make_clip
from benchmarks.tracing.spec import ClipSpec, Form, Pointer

__all__ = [
    "DEV_SEEDS",
    "HELD_SEEDS",
    "KINDS",
    "ClipPaths",
    "ClipSpec",
    "Form",
    "Pointer",
    "clip",
    "make_clip",
]
