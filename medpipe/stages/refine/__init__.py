"""Read: sentences, noun phrases and negation out of a transcript, by rules, without a network."""

from medpipe.stages.refine.config import RefineConfig
from medpipe.stages.refine.rules import METHOD, refine

__all__ = ["METHOD", "RefineConfig", "refine"]
