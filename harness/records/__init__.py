"""What a finished task leaves on disk, immutable. Never judges a number."""
