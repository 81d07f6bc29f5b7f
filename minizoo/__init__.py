"""The front door: the `minizoo` command. Thin: every command calls one function of the rooms below."""

__version__ = "0.1.0"
