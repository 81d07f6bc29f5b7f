"""Runs in a process of its own, `python -I listing.py FILE…`: lists the tensors of files that torch.save wrote.

The files are mapped and unpickled by torch's own reader with `weights_only`, which builds nothing but tensors and plain
containers; no weight is read. What goes to stdout is JSON: `{"files": [[tensor, …], …]}`, where a tensor is its path in
the file's dictionaries, dtype, shape, strides and offset (in elements), and where its storage begins and how long it is
(in bytes of the file); or `{"refused": kind, "file": N, "why": text}`.
Imports nothing of minizoo: nothing of it is to be had in here. What comes out is checked again by whoever started this.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import resource
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

CLONE_NEWUSER, CLONE_NEWNET, PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 0x10000000, 0x40000000, 1, 38
GIB = 1 << 30
MEMORY = 8 * GIB
"""Bytes that unpickling may take beside the mapped files."""
CPU_S = 1800
MOST_NODES = 2_000_000
DEEPEST = 8
GLOBAL = re.compile(r"GLOBAL (\S+) was not an allowed global|GLOBAL (\S+) whose module \S+ is blocked")

Path = tuple[str, ...]


def main(files: Sequence[str]) -> None:
    """List the files' tensors on stdout, walled in."""
    report = os.dup(1)
    os.dup2(2, 1)  # nothing else is to be written among the answer
    wall()
    import torch

    limit(sum(os.path.getsize(file) for file in files))  # noqa: PTH202
    answer: dict[str, Any] = {"files": []}
    for at, file in enumerate(files):
        try:
            answer["files"].append(tensors_of(torch, file))
        except Exception as error:
            answer = {"file": at, **refusal(error)}
            break
    with os.fdopen(report, "w", encoding="utf-8") as out:
        json.dump(answer, out)


def wall() -> None:
    """Die with the parent, gain no privilege, and have no network where the kernel lets us leave it."""
    libc = ctypes.CDLL(None, use_errno=True)
    parent = os.getppid()
    libc.prctl(PR_SET_PDEATHSIG, 9, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if libc.unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0:
        libc.unshare(CLONE_NEWNET)
    lower(resource.RLIMIT_CORE, 0)
    lower(resource.RLIMIT_CPU, CPU_S)


def limit(mapped: int) -> None:
    """Once torch is there: no byte goes to a file, no more memory is taken than a listing needs, no process is begun (but
    by root, whom the kernel lets)."""
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123
        pages = int(file.read().split()[5])  # data and stack
    lower(resource.RLIMIT_DATA, pages * os.sysconf("SC_PAGESIZE") + MEMORY + mapped)
    lower(resource.RLIMIT_FSIZE, 0)
    lower(resource.RLIMIT_NOFILE, 64)
    lower(resource.RLIMIT_NPROC, 0)


def lower(what: int, most: int) -> None:
    """Set a limit, or leave it where it is lower already."""
    with suppress(OSError, ValueError):
        resource.setrlimit(what, (most, most))


def tensors_of(torch: Any, file: str) -> list[Any]:
    """Every tensor of a file, in the order in which its dictionaries have them."""
    mapped = torch.UntypedStorage.from_file
    begins: list[int] = []

    def noted(*arguments: Any) -> Any:
        whole = mapped(*arguments)
        begins.append(whole.data_ptr())
        return whole

    torch.UntypedStorage.from_file = staticmethod(noted)  # torch.load maps the file by it
    try:
        content = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
    finally:
        torch.UntypedStorage.from_file = mapped
    if not isinstance(content, dict):
        raise TypeError(f"it holds a {type(content).__name__}, not a dictionary of tensors")
    if len(begins) != 1:
        raise RuntimeError("this torch maps a file in a way that is not known here")
    return [described(torch, path, tensor, begins[0]) for path, tensor in leaves(torch, content, ())]


def leaves(torch: Any, value: Any, path: Path, count: list[int] | None = None) -> Iterator[tuple[Path, Any]]:
    """Tensors in nested dictionaries and lists with the keys that lead to them. Numbers and text are passed over."""
    count = [0] if count is None else count
    count[0] += 1
    if count[0] > MOST_NODES or len(path) > DEEPEST:
        raise ValueError("it is nested too deeply, or holds too much that is no tensor")
    if isinstance(value, torch.Tensor):
        yield path, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(torch, inner, (*path, key if isinstance(key, str) else repr(key)), count)
    elif isinstance(value, (list, tuple)):
        for at, inner in enumerate(value):
            yield from leaves(torch, inner, (*path, str(at)), count)


def described(torch: Any, path: Path, tensor: Any, begin: int) -> list[Any]:
    """A tensor as JSON."""
    if tensor.layout != torch.strided or tensor.is_quantized or tensor.device.type != "cpu" or tensor.is_neg():
        raise TypeError(f"{'.'.join(path)} is no plain tensor ({tensor.layout}, {tensor.device.type})")
    storage = tensor.untyped_storage()
    return [
        list(path), str(tensor.dtype).removeprefix("torch."), list(tensor.shape), list(tensor.stride()),
        tensor.storage_offset(), storage.data_ptr() - begin, storage.nbytes(),
    ]  # fmt: skip


def refusal(error: Exception) -> dict[str, str]:
    """What an exception of torch's reader says, in our words: `code` for a pickle that calls for something, else `broken`."""
    text = " ".join(str(error).split())
    if (named := GLOBAL.search(text)) is not None:
        return {"refused": "code", "why": named[1] or named[2]}
    told = text.rpartition("WeightsUnpickler error:")[2].partition("Check the documentation")[0].strip()
    return {"refused": "broken", "why": f"{type(error).__name__}: {told[:200]}"}


if __name__ == "__main__":
    main(sys.argv[1:])
