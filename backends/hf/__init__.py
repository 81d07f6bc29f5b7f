"""transformers' weights and code: the `hf` backend, packed where that is exact, else one padded batch at a time. Never sees text or tasks."""
