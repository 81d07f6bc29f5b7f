"""A policy over two sets of results: what passes, what regressed, what cannot be told; never a pass of nothing."""
