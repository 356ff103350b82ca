"""Speed and truth: each module prints ratios measured in one run."""
