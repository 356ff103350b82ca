"""Sources into items, items into videos on this worker's disk."""

from medpipe.stages.acquire.config import (
    AcquireConfig,
    AcquireRules,
    FetchConfig,
    Refusal,
)
from medpipe.stages.acquire.edge import acquire
from medpipe.stages.acquire.sources import resolve

__all__ = ["AcquireConfig", "AcquireRules", "FetchConfig", "Refusal", "acquire", "resolve"]
