"""The `minizoo` command: options, one call to a room below, one thing shown; never computes what it shows."""

__version__ = "0.1.0"
