"""medpipe: medical teaching videos and articles into localized narratives."""

__version__ = "0.1.0"
