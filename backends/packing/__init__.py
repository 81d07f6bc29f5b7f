"""Scoring and generating with shared prefixes: every token once. Knows no checkpoint and no file."""
