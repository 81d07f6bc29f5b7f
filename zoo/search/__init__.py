"""The shape that a parent is best cut to within a budget, and how sure that is; never runs a benchmark itself."""
