"""Simulated lectures: videos with speech and a pointer whose every position is known."""

from benchmarks.lectures.bundled import bundled_specs
from benchmarks.lectures.make import LecturePaths, make_lecture
from benchmarks.lectures.spec import Cursor, LectureSpec, Line, Slide
from benchmarks.lectures.variety import random_spec

__all__ = [
    "Cursor",
    "LecturePaths",
    "LectureSpec",
    "Line",
    "Slide",
    "bundled_specs",
    "make_lecture",
    "random_spec",
]
