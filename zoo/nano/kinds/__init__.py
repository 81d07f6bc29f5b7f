"""Exercises of the nano world, a file a kind of text: `make(rng) -> Exercise`. Never random but by `rng`."""
