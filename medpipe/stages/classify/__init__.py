"""Judges clean images: blank or not, how alike, with what hash, made of which pictures."""

from medpipe.stages.classify.config import ClassifyConfig
from medpipe.stages.classify.judge import Judgement, judge
from medpipe.stages.classify.parts import parts_of

__all__ = ["ClassifyConfig", "Judgement", "judge", "parts_of"]
