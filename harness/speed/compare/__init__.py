"""Two models measured in turn on one device: fair pairs of batches, and ratios of their speeds. Never ranks models."""
