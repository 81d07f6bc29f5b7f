"""Scoring and generating with shared prefixes, each computed once (`RowScoring` for a backend of yours); never opens a file."""

from backends.packing.prefix_tree import Row
from backends.packing.row_backend import RowScoring
from backends.packing.scheduler import Answers

__all__ = ["Answers", "Row", "RowScoring"]
