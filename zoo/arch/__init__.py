"""A model's shape: dimensions, what follows from them, known GPUs, and config.json (its only reader). Never a weight."""
