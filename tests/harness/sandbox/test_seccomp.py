"""The system-call filter, run by an interpreter of its own, for machines that the tests do not run on as well."""

from __future__ import annotations

import struct

import pytest

from harness.sandbox import seccomp
from harness.sandbox.seccomp import ALWAYS, MACHINES, PROCESSES, WITHOUT_NAMESPACES, deny_filter

ALLOWED, KILLED = "allow", "kill"
READ = {"x86_64": 0, "aarch64": 63}


def verdict(code: bytes, number: int, arch: int, *arguments: int) -> str | int:
    """What the kernel would do: allow, kill, or the number of the error that the call gets."""
    data = struct.pack("<IIQ6Q", number, arch, 0, *arguments, *[0] * (6 - len(arguments)))
    instructions = list(struct.iter_unpack("<HBBI", code))
    at, accumulator = 0, 0
    while True:
        operation, when_true, when_false, k = instructions[at]
        at += 1
        if operation == seccomp.LOAD:
            (accumulator,) = struct.unpack_from("<I", data, k)
        elif operation == seccomp.RETURN:
            named = {seccomp.ALLOW: ALLOWED, seccomp.KILL: KILLED}
            return named.get(k, k & 0xFFFF)
        else:
            true = accumulator == k if operation == seccomp.JUMP_EQ else accumulator >= k
            at += when_true if true else when_false


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("namespaces", [True, False])
def test_every_named_call_is_refused_and_reading_is_not(machine: str, namespaces: bool):
    column, arch = MACHINES[machine]
    code = deny_filter(namespaces, machine)
    assert len(code) // 8 < 4096, "the kernel takes no longer filter"
    named = PROCESSES | ALWAYS | ({} if namespaces else WITHOUT_NAMESPACES)
    for name, numbers in named.items():
        if numbers[column] is not None:
            assert isinstance(verdict(code, numbers[column], arch), int), name
    assert verdict(code, READ[machine], arch) == ALLOWED
    if namespaces:
        assert verdict(code, WITHOUT_NAMESPACES["kill"][column], arch) == ALLOWED


@pytest.mark.parametrize("machine", MACHINES)
def test_calls_of_another_architecture_end_the_program(machine: str):
    _, arch = MACHINES[machine]
    (other,) = (a for _, a in MACHINES.values() if a != arch)
    assert verdict(deny_filter(True, machine), READ[machine], other) == KILLED


def test_the_other_numbering_of_x86_64_is_no_way_around():
    column, arch = MACHINES["x86_64"]
    socket = ALWAYS["socket"][column]
    assert socket is not None
    assert verdict(deny_filter(True, "x86_64"), socket | seccomp.X32_BIT, arch) == 1


@pytest.mark.parametrize("machine", MACHINES)
def test_some_calls_are_judged_by_an_argument(machine: str):
    column, arch = MACHINES[machine]
    code = deny_filter(False, machine)
    assert verdict(code, seccomp.PRLIMIT64[column], arch, 0) == ALLOWED
    assert verdict(code, seccomp.PRLIMIT64[column], arch, 1234) == 1
    assert verdict(code, seccomp.FCNTL[column], arch, 3, 4) == ALLOWED
    assert verdict(code, seccomp.FCNTL[column], arch, 3, 8) == 1
    assert verdict(code, seccomp.IOCTL[column], arch, 3, 0x5421) == ALLOWED
    assert verdict(code, seccomp.IOCTL[column], arch, 3, 0x5412) == 25
    assert verdict(deny_filter(True, machine), seccomp.IOCTL[column], arch, 3, 0x5412) == ALLOWED


@pytest.mark.parametrize("machine", MACHINES)
def test_no_two_calls_share_a_number(machine: str):
    column, _ = MACHINES[machine]
    tables = [*PROCESSES.values(), *ALWAYS.values(), *WITHOUT_NAMESPACES.values()]
    numbers = [
        n for call in [*tables, seccomp.CLONE3, seccomp.IOCTL, seccomp.FCNTL, seccomp.PRLIMIT64] if (n := call[column])
    ]
    assert len(numbers) == len(set(numbers))
