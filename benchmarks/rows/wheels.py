"""What to carry to a machine without network: the packages that minizoo needs, in the versions that are installed here."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from zoo.errors import PackageMissing

THERE = re.compile(r"torch|triton|cuda-.*|nvidia-(?!ml-py$).*")
"""Packages that a machine with a GPU has, of the version that suits its driver."""
COMMANDS = """\
# minizoo's packages without torch, in the versions that are installed here. With a network, on the same system and Python
# (`wheel` also builds what is published as source alone, which could not be built without one):
#   python -m pip wheel --no-deps -w wheels -r wheels.txt .
# on the machine without one, into the environment that has torch, and then in a copy of this checkout:
#   python -m pip install --no-index --no-deps --find-links wheels -r wheels.txt minizoo
#   python benchmarks/gpu_rows.py
"""


def wheels(pyproject: Path) -> str:
    """A requirements file, with the commands for it as its comments. PackageMissing names what is not installed here."""
    needed = tomllib.loads(pyproject.read_text("utf-8"))["project"]["dependencies"]
    found: dict[str, str] = {}
    waiting, seen = [Requirement(text) for text in needed], set[tuple[str, tuple[str, ...]]]()
    while waiting:
        requirement = waiting.pop()
        name, extras = canonicalize_name(requirement.name), tuple(sorted(requirement.extras))
        if THERE.fullmatch(name) or (name, extras) in seen:
            continue
        seen.add((name, extras))
        installed = _installed(requirement.name)
        found[name] = installed.version
        waiting += _needs(installed, extras)
    return COMMANDS + "".join(f"{name}=={found[name]}\n" for name in sorted(found))


def _needs(installed: Distribution, extras: Iterable[str]) -> Iterator[Requirement]:
    """What a distribution needs on this system, with those extras."""
    for text in installed.requires or ():
        requirement = Requirement(text)
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield requirement


def _installed(name: str) -> Distribution:
    try:
        return distribution(name)
    except PackageNotFoundError:
        raise PackageMissing(
            f"{name}, which minizoo needs, is not installed here.", "Install minizoo with all it needs, and ask again."
        ) from None
