"""Settings of the engine that `hf` and `pruned` know: one, how they decode."""

from __future__ import annotations

from backends.contract import Options
from backends.packing.decode.choice import WAYS
from zoo.errors import UnsupportedRequest


def decode_wanted(options: Options) -> str:
    """`decode` of `Options.engine`, one of WAYS; `auto` where it is not named. UnsupportedRequest for anything else."""
    if unknown := sorted(set(options.engine) - {"decode"}):
        raise UnsupportedRequest(f"hf and pruned have no setting {unknown[0]}.", "They know decode alone.")
    wanted = str(options.engine.get("decode", WAYS[0]))
    if wanted not in WAYS:
        raise UnsupportedRequest(f"hf and pruned do not decode by '{wanted}'.", f"Name one of {', '.join(WAYS)}.")
    return wanted
