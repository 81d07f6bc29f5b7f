"""What the teacher says of a batch, live or from a file; never a gradient."""
