"""Clips: short videos around what was pointed at."""

from medpipe.stages.clips.config import ClipConfig
from medpipe.stages.clips.edge import Clip, cut_clips
from medpipe.stages.clips.events import Event, events_of, said_between

__all__ = ["Clip", "ClipConfig", "Event", "cut_clips", "events_of", "said_between"]
