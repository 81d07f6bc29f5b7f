"""`minizoo gate` and its calibration; never decides anything itself."""

from minizoo.commands.gate.command import gate

__all__ = ["gate"]
