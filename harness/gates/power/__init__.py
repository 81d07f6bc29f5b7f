"""What a suite can show before GPU hours are spent on it: documents, losses, nights. It never runs a model."""
