"""The child on disk: slices of the parent's tensors, its small files, its card. Never chooses what stays."""
