"""What a worker's error means to whoever asked: kinds of the protocol to exceptions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backends.contract import OutOfMemory
from zoo.errors import (
    DeviceMemory,
    EngineFailed,
    EngineMissing,
    EngineRefused,
    EngineVersion,
    MinizooError,
    UnsupportedRequest,
    causes,
)

REPORT = "Its own words are above; the log of this run has all that it printed."


def of_opening(name: str, error: Mapping[str, Any], said: str) -> MinizooError:
    """The error for a worker that did not come to answer its first request; `said` is what it printed last."""
    kind, text = _parts(error)
    if (told := _told(error)) is not None:
        return told
    if kind == "missing":
        return EngineMissing(
            f"The interpreter of the {name} worker lacks a package ({text}).",
            "Install the engine there, or name the interpreter that has it: `--python PATH`.",
        )
    if kind == "version":
        return EngineVersion(f"The {name} worker cannot use its engine: {text}.", "See docs/engines.md for versions.")
    if kind == "memory":
        return DeviceMemory(
            f"The {name} worker ran out of memory while it loaded the model ({text}).",
            "Use a larger device, a smaller `--dtype`, or free what others hold.",
        )
    return EngineRefused(f"The {name} worker cannot run this model: {text}.{said}", "Take another `--backend`.")


def of_call(name: str, error: Mapping[str, Any]) -> Exception:
    """The exception for a request that was not answered, as a backend within this process raises it."""
    kind, text = _parts(error)
    if kind == "input":
        return ValueError(text)
    if kind == "memory":
        return OutOfMemory(text)
    if (told := _told(error)) is not None:
        return told
    if kind == "unsupported":
        return UnsupportedRequest(f"The {name} backend does not do this: {text}.", "Take another `--backend`.")
    return EngineFailed(f"The engine of the {name} worker raised: {text}.", REPORT)


def _parts(error: Mapping[str, Any]) -> tuple[str, str]:
    return str(error.get("kind")), str(error.get("text")).rstrip(".")


def _told(error: Mapping[str, Any]) -> MinizooError | None:
    """minizoo's own error, raised in the worker."""
    if error.get("kind") != "told":
        return None
    known = {cause.code: cause for cause in causes()}
    cause = known.get(str(error.get("code")), EngineFailed)
    return cause(str(error.get("text")), str(error.get("hint") or ""))
