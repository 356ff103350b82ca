"""The only room with Ray: the driver, its actor pools, and whose fault a failure was."""

from medpipe.runtime.curate import Outcome, curate

__all__ = ["Outcome", "curate"]
