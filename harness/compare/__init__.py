"""Two sets of results compared document by document; runs no model and never compares what was asked differently."""
