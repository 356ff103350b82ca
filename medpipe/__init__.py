"""medpipe: medical teaching videos and articles into localized narratives."""
