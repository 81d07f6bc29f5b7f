"""A model in memory, asked what its own code does; never how it came there."""
