"""Make shipped.json: ask every check of `hf` and `pruned` over shipped models, on this machine's CPU.

    python -m backends.conformance.ship

Exits 1, and writes nothing, where a check fails.
"""

from __future__ import annotations

import json
import sys
from functools import partial

from backends.conformance.outcome import Outcome
from backends.conformance.reference import plain_reference
from backends.conformance.run import run_checks
from backends.conformance.shipped import FILE
from backends.contract import Options
from backends.opening import open_backend
from zoo.checkpoint.locate import locate
from zoo.files import write_atomically

MODELS = {"hf": "nano-teacher", "pruned": "nano-width-pruned"}
"""Backend → the model it is asked over: the one that it is for."""
DTYPES = ("float32", "bfloat16")


def main() -> int:
    """Run and write; 1 where a check fails."""
    outcomes = [_outcome(backend, model, dtype) for backend, model in MODELS.items() for dtype in DTYPES]
    failed = [
        f"{one.key.backend}, {one.key.dtype}: {check.check}: {check.said}" for one in outcomes for check in one.failed()
    ]
    if failed:
        print("\n".join(failed), file=sys.stderr)
        return 1
    text = json.dumps({"outcomes": [one.to_dict() for one in outcomes]}, indent=1, ensure_ascii=False)
    write_atomically(FILE, (text + "\n").encode())
    print(f"{FILE}: {len(outcomes)} outcomes of {len(outcomes[0].checks)} checks")
    return 0


def _outcome(name: str, model: str, dtype: str) -> Outcome:
    checkpoint = locate(model)
    opener = partial(open_backend, checkpoint, name, Options(device="cpu", dtype=dtype))
    backend = opener()
    try:
        return run_checks(backend, checkpoint, plain_reference(checkpoint), reopen=opener)
    finally:
        backend.close()


if __name__ == "__main__":
    sys.exit(main())
