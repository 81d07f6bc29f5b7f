"""The child on disk: slices of the parent's tensors, small files, model card. Never chooses units."""
