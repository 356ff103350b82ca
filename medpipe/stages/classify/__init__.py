"""Judges clean images: blank or not, how alike, with what hash."""

from medpipe.stages.classify.judge import ClassifyConfig, Judgement, judge

__all__ = ["ClassifyConfig", "Judgement", "judge"]
