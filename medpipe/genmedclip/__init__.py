"""GenMedCLIP: the model, its data, loss and loop, and the judge; the only room with torch.

Importing the package loads no torch; its modules do.
"""

from medpipe.genmedclip.config import (
    DataConfig,
    GenMedClipConfig,
    LossConfig,
    ModelConfig,
    OptimConfig,
    RunConfig,
)

__all__ = [
    "DataConfig",
    "GenMedClipConfig",
    "LossConfig",
    "ModelConfig",
    "OptimConfig",
    "RunConfig",
]
