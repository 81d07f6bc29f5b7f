"""The kinds of text in the nano world: each file makes one kind, as `make(rng) -> Exercise`."""
