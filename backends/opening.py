"""Opening a backend by name, ours or a third party's (entry-point group `minizoo.backends`)."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import EntryPoint, entry_points

from backends.contract import Backend, Options
from backends.memory import must_spread
from backends.nodes.opening import open_on_nodes
from backends.several.opening import open_several
from backends.several.seats import ALL, in_one_process, seats_of
from backends.split import open_split, split_of
from zoo.checkpoint.locate import Checkpoint, ModelFolder
from zoo.errors import BrokenInstallation, MinizooError, SeveralDevices, UnknownName, one_line
from zoo.names import unknown

GROUP = "minizoo.backends"
DIVIDES_ITSELF = ("vllm", "trtllm", "openai")
"""Backends whose engine has processes, and takes devices, of its own; any other runs in a worker a device."""
RENAMED = {
    "backends.checkpoint": "zoo.checkpoint.locate",
    "backends.scoring": "backends.packing",
    "backends.rows": "backends.contract",
    "exact": "eager",
    "UsageError": "InputError",
    "EnvironmentFault": "EnvironmentIssue",
    "PackedScoring": "RowScoring",
    "mend": "hint",
}
"""What third-party backends of minizoo 0.1 may still say → what it is called now."""


def backend_names() -> list[str]:
    """Names of the installed backends."""
    return sorted(_installed())


def default_backend(model: ModelFolder) -> str:
    """The backend that runs a model where none is named: `pruned` for a folder that nothing else can run, else `hf`."""
    return "pruned" if model.only_pruned else "hf"


def check_backend(name: str) -> None:
    """Raise UnknownName, with the closest name, unless that backend (of `score=A,generate=B` both) is installed."""
    if (split := split_of(name)) is not None:
        for one in (split.score, split.generate):
            check_backend(one)
        return
    installed = _installed()
    if name not in installed:
        raise unknown(UnknownName, "backend", name, installed, f"Installed are: {', '.join(sorted(installed))}.")


def open_backend(checkpoint: Checkpoint, name: str | None = None, options: Options | None = None) -> Backend:
    """Load the checkpoint with the backend of that name, else the one that fits it (`default_backend`).

    Raises UnknownName for an unknown one, BrokenInstallation for an entry point that cannot be imported or was written for
    an earlier contract (the error says what to rename), and what the backend raises for a checkpoint that it cannot take.
    `score=A,generate=B` is both (`backends.split`).
    Where the options ask for several devices, for workers or for another interpreter, it runs in processes of its own, and
    SeveralDevices and what `open_several` raises come too; `hf` lays a model that no single GPU holds over all of them. Where
    they name nodes of a cluster, it runs there, and what `open_on_nodes` raises comes.
    """
    name = name or default_backend(checkpoint)
    check_backend(name)
    options = options or Options()
    if (split := split_of(name)) is not None:
        return open_split(checkpoint, split, options, open_backend)
    if options.nodes is not None:
        return open_on_nodes(name, checkpoint, options, options.nodes)
    if name in DIVIDES_ITSELF:
        options = _undivided(name, options)
    elif must_spread(checkpoint, name, options):
        options = replace(options, device="auto", devices=tuple(seat.device for seat in seats_of(options)))
    elif seats := seats_of(options):
        return open_several(name, checkpoint, options, seats)
    else:
        options = in_one_process(options)
    return _opened(_installed()[name], checkpoint, options)


def told_of_seats(name: str, options: Options) -> list[str]:
    """What a plan of time and memory must say of work that is divided; nothing where it is not."""
    if (nodes := options.nodes) is not None:
        on = f"{nodes.count} node{'s' * (nodes.count != 1)} of the cluster at {nodes.address}"
        return [f"The work is divided among {on}: time and memory are told as for this machine."]
    seats = [] if name in DIVIDES_ITSELF else seats_of(options)
    if len(seats) < 2:
        return []
    where = ", ".join(dict.fromkeys(seat.device for seat in seats))
    return [f"The work is divided among {len(seats)} workers ({where}): time and memory are told as for one of them."]


def _undivided(name: str, options: Options) -> Options:
    """The options of an engine that divides its work itself: all devices is what it takes without a word."""
    if options.workers:
        raise SeveralDevices(
            f"{name} divides its work itself, so it has no --workers.", "Leave them out, or name --devices."
        )
    return replace(options, devices=()) if options.devices == ALL else options


def _opened(point: EntryPoint, checkpoint: Checkpoint, options: Options) -> Backend:
    try:
        opener = point.load()
    except Exception as error:  # whatever its module raises while it is imported
        raise _broken(point, error) from error
    try:
        return opener(checkpoint, options)
    except MinizooError:
        raise
    except (ImportError, AttributeError, TypeError) as error:
        if isinstance(error, ImportError) or _renamed(error):
            raise _broken(point, error) from error
        raise


def _broken(point: EntryPoint, error: Exception) -> BrokenInstallation:
    return BrokenInstallation(
        f"The backend '{point.name}' ({point.value}) cannot be opened ({type(error).__name__}: {one_line(error)}).",
        _renamed(error) or "Install it again, in a version for this minizoo.",
    )


def _renamed(error: Exception) -> str | None:
    """What to rename in a backend that was written for the old contract; None where the error is about something else."""
    said = f"{getattr(error, 'name', None)} {error}".replace("'", " ").replace('"', " ").split()
    found = [f"`{old}` → `{new}`" for old, new in RENAMED.items() if old in said]
    return f"It was written for an earlier minizoo: rename {', '.join(found)} (CONTRIBUTING.md)." if found else None


def _installed() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}
