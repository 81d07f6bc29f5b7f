"""A comparison as tables, Markdown and JSON; never compares anything itself."""
