"""The only room with Ray: the driver, its actor pools, and whose fault a failure was."""

from medpipe.runtime.curate import Limits, Outcome, curate

__all__ = ["Limits", "Outcome", "curate"]
