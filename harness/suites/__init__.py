"""Suites as data: named lists of tasks with shots, metric and limits, one YAML file each. Never loads a task."""
