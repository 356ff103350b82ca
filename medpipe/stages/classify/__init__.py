"""Judges clean images: blank, alike, made of which pictures, and whom they name."""

from medpipe.stages.classify.config import ClassifyConfig
from medpipe.stages.classify.judge import Judgement, judge
from medpipe.stages.classify.parts import parts_of
from medpipe.stages.classify.privacy import Searched, search
from medpipe.stages.classify.reading import READER

__all__ = ["READER", "ClassifyConfig", "Judgement", "Searched", "judge", "parts_of", "search"]
