"""Distillation: a cut checkpoint learns what its parent says; never a benchmark, never a backend."""
