"""Tiers: the ways of isolating a program, best first, and which of them a user has chosen.

Every way puts the interpreter's own command behind another command or behind walls that the child builds itself
(`harness/sandbox/child.py`); all of them also install the system-call filter of `harness/sandbox/seccomp.py`.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.sandbox.packages import package_places

TIERS_VARIABLE = "MINIZOO_SANDBOX_TIERS"
"""Environment variable: the tiers that may be used, by name, separated by commas. Unset means all."""

SCRATCH_BYTES = 64 * 2**20
PACKAGES_FOLDER = "/packages"
"""Where allowed packages lie for a program with mounts of its own; without, they stay where they are."""
LOCKS_BYTES = 2**20
"""Of a /dev/shm of its own, where locks of multiprocessing lie."""
SYSTEM_PATHS = ("/usr", "/bin", "/lib", "/lib64", "/etc/ld.so.cache", "/dev/null", "/dev/zero", "/dev/urandom")
UNSANDBOXED = "none (--allow-unsandboxed-code)"
"""Name of the tier without any isolation, as it stands in records."""


@dataclass(frozen=True)
class Tier:
    """A way of isolating: the command that precedes the interpreter's, and the line that makes it work.

    `walls` is what the child does first: `built` (the command built them), `root` (build a root of the paths), `landlock`
    (allow the paths only) or `none`.
    """

    name: str
    command: Callable[[], list[str]]
    walls: str
    hint: str

    @property
    def namespaces(self) -> bool:
        """Whether the program has process and mount namespaces of its own."""
        return self.walls in ("built", "root")

    @property
    def host_scratch(self) -> bool:
        """Whether its scratch folder is a folder of this machine, made and removed by us, and not a tmpfs of its own."""
        return self.walls in ("landlock", "none")


@dataclass
class SandboxChoice:
    """What the user says of isolation, for this process: a command of their own, and whether code may run without any."""

    command: tuple[str, ...] = ()
    allow_none: bool = False


CHOICE = SandboxChoice()


def allowed_tiers() -> list[Tier]:
    """The tiers that may be tried, in order: the user's command alone, else ours, else none at all if that was allowed."""
    if CHOICE.command:
        return [_of_command(CHOICE.command)]
    names = os.environ.get(TIERS_VARIABLE)
    tiers = [tier for tier in TIERS if names is None or tier.name in names.split(",")]
    return [*tiers, Tier(UNSANDBOXED, list, "none", "")] if CHOICE.allow_none else tiers


def hints() -> list[str]:
    """What makes each tier work, a line each."""
    return [tier.hint for tier in TIERS]


def visible_paths() -> list[str]:
    """What a program sees of this machine beside its packages: the system's libraries and the interpreter, if not there."""
    paths = [path for path in SYSTEM_PATHS if Path(path).exists()]
    prefix = Path(sys.base_prefix)
    return paths if prefix.is_relative_to("/usr") else [*paths, str(prefix)]


@functools.cache
def _of_command(command: tuple[str, ...]) -> Tier:
    return Tier(f"command: {' '.join(command)}", lambda: list(command), "built", "")


def _bubblewrap() -> list[str]:
    binds = [word for path in visible_paths() if not path.startswith("/dev/") for word in ("--ro-bind", path, path)]
    for place in package_places():
        binds += ["--ro-bind", place, f"{PACKAGES_FOLDER}/{Path(place).name}"]
    return [
        "bwrap", "--unshare-all", "--die-with-parent", "--as-pid-1", "--cap-drop", "ALL",
        *binds, "--dev", "/dev", "--remount-ro", "/dev", "--size", str(LOCKS_BYTES), "--tmpfs", "/dev/shm",
        "--size", str(SCRATCH_BYTES), "--tmpfs", "/tmp", "--remount-ro", "/", "--chdir", "/tmp", "--",
    ]  # fmt: skip


def _user_namespaces() -> list[str]:
    return [
        "setpriv", "--pdeathsig", "KILL", "unshare", "--kill-child", "--fork", "--user", "--map-root-user",
        "--mount", "--net", "--pid", "--ipc", "--uts", "--cgroup",
    ]  # fmt: skip


TIERS = (
    Tier("bubblewrap", _bubblewrap, "built", "`apt-get install bubblewrap`"),
    Tier(
        "user-namespaces",
        _user_namespaces,
        "root",
        "`sysctl -w user.max_user_namespaces=15000` (where the kernel has them also "
        "kernel.unprivileged_userns_clone=1 and kernel.apparmor_restrict_unprivileged_userns=0)",
    ),
    Tier("landlock", list, "landlock", "a kernel of 6.2 or later with `landlock` in its `lsm=` list"),
)
