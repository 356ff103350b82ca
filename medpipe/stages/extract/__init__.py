"""Watch a video: still pictures without the pointer, and the pointer's path."""

from medpipe.stages.extract.config import ExtractConfig
from medpipe.stages.extract.edge import extract

__all__ = ["ExtractConfig", "extract"]
