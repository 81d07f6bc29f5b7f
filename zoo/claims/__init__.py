"""Sentences of cards and papers, recomputed from the registry. Never runs a model."""
