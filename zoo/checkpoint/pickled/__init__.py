"""Pickled weights written as safetensors once, the pickle read in a process of its own; never runs code of it."""
