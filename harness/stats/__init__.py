"""Estimators, intervals, tests and verdicts: pure functions of numbers. Never reads a file."""
