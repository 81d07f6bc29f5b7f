"""Trials: how their requests arrive, which comes next, and the one loop that runs them. Never judges what came of them."""
