"""Starting the process that unpickles: an interpreter of its own with nothing of ours in it, ended with us."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from pydantic import TypeAdapter, ValidationError

from zoo.errors import PickleUnreadable, UnsafePickle

WITHIN_S = 3600.0
"""Seconds in which a listing must be there: reading one takes a few, and starting torch on a busy machine a minute."""
KEPT = ("LD_LIBRARY_PATH", "PATH", "SYSTEMROOT")
"""What the process has of our environment: where libraries are. No token, no home, no proxy."""
OWN = {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "LANG": "C.UTF-8", "TORCH_FORCE_WEIGHTS_ONLY_LOAD": "1"}
SHOWN = 120


class Listed(NamedTuple):
    """A tensor as the other process says it: nothing of it is believed before it is compared with the file."""

    path: tuple[str, ...]
    dtype: str
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int
    """In elements, from the beginning of the storage."""
    storage_start: int
    """In bytes, from the beginning of the file."""
    storage_bytes: int


_ANSWER = TypeAdapter(list[list[Listed]])


def list_tensors(files: Sequence[Path]) -> list[list[Listed]]:
    """The tensors of each file. No weight is read and no file written.

    Raises UnsafePickle for a pickle that calls for anything but plain tensors, PickleUnreadable for one that torch does not
    read.
    """
    out, code, said = _run([str(path.resolve()) for path in files])
    if code != 0:
        why = f"signal {-code}" if code < 0 else (said.strip().splitlines() or [f"exit code {code}"])[-1][:SHOWN]
        raise PickleUnreadable(
            f"{files[0]} could not be read: the process that unpickles it was ended ({_plain(why)}).",
            "Take the model's safetensors, or report this with the file's name.",
        )
    try:
        answer = json.loads(out)
        if "refused" in answer:
            raise _refused(files[int(answer["file"])], str(answer["refused"]), str(answer["why"]))
        listed = _ANSWER.validate_python(answer["files"])
    except (ValueError, ValidationError, KeyError, TypeError, IndexError, RecursionError):
        raise PickleUnreadable(
            f"{files[0]} could not be read: the process that unpickles it gave no listing.", "Fetch the file again."
        ) from None
    return listed


def _run(files: Sequence[str]) -> tuple[bytes, int, str]:
    """Run the listing; its answer, exit code and last words. It is killed with its group, whatever stops us."""
    script = Path(__file__).with_name("listing.py")
    process = subprocess.Popen(
        [sys.executable, "-I", "-B", str(script), *files],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**{name: os.environ[name] for name in KEPT if name in os.environ}, **OWN},
        cwd="/",
        start_new_session=True,
    )
    try:
        out, said = process.communicate(timeout=WITHIN_S)
    except subprocess.TimeoutExpired:
        return b"", 1, f"nothing came in {WITHIN_S:.0f} s"
    finally:
        if process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return out, process.returncode, said.decode("utf-8", "replace")


def _refused(file: Path, kind: str, why: str) -> UnsafePickle | PickleUnreadable:
    if kind == "code":
        return UnsafePickle(
            f"{file} is no plain file of weights: its pickle calls for {_plain(why)!r}. Nothing of it was run.",
            "Do not load it elsewhere unless you trust who made it; take the model's safetensors.",
        )
    return PickleUnreadable(
        f"{file} is not what transformers saves as pytorch_model.bin ({_plain(why)}).",
        "Fetch the file again, or take the model's safetensors.",
    )


def _plain(text: str) -> str:
    """Text that came out of a foreign file, fit for a terminal."""
    return "".join(c if c.isprintable() else "·" for c in text)[:SHOWN]
