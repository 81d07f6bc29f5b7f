"""A local folder described by its small files and the headers of its weights. Never converts one, never runs it."""
