"""Progress of long steps."""

from __future__ import annotations

from collections.abc import Callable

ProgressCallback = Callable[[str, int, int], None]
"""Takes the name of the step, how much of it is done, and of how much."""
