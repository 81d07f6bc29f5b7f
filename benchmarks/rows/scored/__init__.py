"""A task scored by several engines, from its documents to its record. Never chooses which models or when."""
