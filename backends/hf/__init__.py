"""transformers' weights and code: the `hf` backend, packed where that is exact, else padded batches. Never sees text."""
