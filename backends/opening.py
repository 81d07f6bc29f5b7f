"""Opening a backend by name, ours or a third party's (entry-point group `minizoo.backends`)."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

from backends.contract import Backend, Options
from zoo.checkpoint.model_ref import Checkpoint
from zoo.names import unknown

GROUP = "minizoo.backends"


def backend_names() -> list[str]:
    """Names of the installed backends."""
    return sorted(_installed())


def check_backend(name: str) -> None:
    """Raise InputError, with the closest name, unless a backend of that name is installed."""
    installed = _installed()
    if name not in installed:
        raise unknown("backend", name, installed, f"Installed are: {', '.join(sorted(installed))}.")


def open_backend(checkpoint: Checkpoint, name: str = "hf", options: Options | None = None) -> Backend:
    """Load the checkpoint with the backend of that name; InputError for an unknown one or a checkpoint it cannot take."""
    check_backend(name)
    return _installed()[name].load()(checkpoint, options or Options())


def _installed() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}
