"""The step's C++ as a library: compiled for this processor by its own compiler, once a machine, and kept in the cache.

Sources, compiler, flags and processor name the file, so that a home folder shared by several machines holds one of each.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import re
import shutil
import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path

from zoo.errors import one_line
from zoo.files import cache_folder

SOURCE = Path(__file__).with_name("step.cpp")
SOURCES = (SOURCE, SOURCE.with_name("products.h"))
COMPILER = "g++"
FLAGS = ("-O3", "-march=native", "-std=c++17", "-fPIC", "-fopenmp", "-shared")
PATIENCE = 300.0
"""Seconds that a compiler may take: ten of a processor, when last measured."""


class CannotCompile(Exception):
    """No library can be had here; the message is the reason, as the end of a sentence."""


@lru_cache(1)
def library() -> ctypes.CDLL:
    """The library, compiled where the cache has none. Raises CannotCompile."""
    compiler = shutil.which(COMPILER)
    if compiler is None:
        raise CannotCompile(f"there is no {COMPILER} here")
    try:
        folder = cache_folder() / "decode"
        made = folder / f"{_digest(compiler)}.so"
        if not made.is_file():
            folder.mkdir(parents=True, exist_ok=True)
            _compile(compiler, made)
        return ctypes.CDLL(str(made))
    except subprocess.TimeoutExpired:
        raise CannotCompile(f"{COMPILER} took more than {PATIENCE:.0f} s") from None
    except OSError as error:
        raise CannotCompile(one_line(error)) from None


def compiler_version() -> str:
    """What compiles, as its first line says it."""
    return _told(shutil.which(COMPILER) or COMPILER, "--version").partition("\n")[0].strip()


def _compile(compiler: str, made: Path) -> None:
    """Compile into a file of another name, which then takes the place: a second process finds all of it or nothing."""
    with tempfile.TemporaryDirectory(dir=made.parent) as scratch:
        out = Path(scratch) / made.name
        # torch's own OpenMP first: two of them would each keep a thread a core spinning.
        command = [compiler, *FLAGS, str(SOURCE), "-Wl,--as-needed", *_openmp_in_use(), "-o", str(out)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if "error" in line] or done.stderr.splitlines() or ["?"]
            raise CannotCompile(f"{COMPILER} refused it ({lines[0].strip()[:200]})")
        out.replace(made)


def _digest(compiler: str) -> str:
    parts = (
        *(path.read_text("utf-8") for path in SOURCES),
        _told(compiler, "--version"),
        *FLAGS,
        *_openmp_in_use(),
        _processor(),
    )
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


@lru_cache(8)
def _told(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE).stdout


def _processor() -> str:
    """What `-march=native` goes by."""
    try:
        told = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        return platform.processor()
    return "\n".join(sorted(set(re.findall(r"^(?:model name|flags|Features|CPU part).*", told, re.MULTILINE))))


def _openmp_in_use() -> list[str]:
    """The GNU OpenMP library that this process has loaded, torch's."""
    try:
        mapped = Path("/proc/self/maps").read_text("utf-8")
    except OSError:
        return []
    found = sorted({path for path in re.findall(r"\S*/libgomp\S*", mapped) if os.path.exists(path)})  # noqa: PTH110
    return found[:1]
