"""The hub's repositories and its cache on this machine: asked, listed, fetched. Never knows what a model is."""
