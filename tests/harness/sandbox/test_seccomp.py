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
            jumps = {seccomp.JUMP_EQ: accumulator == k, seccomp.JUMP_GE: accumulator >= k}
            true = jumps.get(operation, bool(accumulator & k))
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
@pytest.mark.parametrize("namespaces", [True, False])
def test_a_thread_may_be_cloned_and_no_process(machine: str, namespaces: bool):
    column, arch = MACHINES[machine]
    code = deny_filter(namespaces, machine)
    clone = seccomp.CLONE[column]
    assert [verdict(code, clone, arch, flags) for flags in seccomp.THREAD_FLAGS] == [ALLOWED, ALLOWED]
    a_process, shared_memory, a_namespace = 17, 0x100 | 17, 0x3D0F00 | 0x10000000
    assert [verdict(code, clone, arch, flags) for flags in (0, a_process, shared_memory, a_namespace)] == [11] * 4
    assert verdict(code, seccomp.CLONE3[column], arch) == 38


@pytest.mark.parametrize("machine", MACHINES)
def test_a_threads_stack_is_at_least_one_mebibyte_and_other_mappings_may_be_small(machine: str):
    column, arch = MACHINES[machine]
    code, private = deny_filter(True, machine), 0x22
    assert verdict(code, seccomp.MMAP[column], arch, 0, 2**20 - 1, 0, private | seccomp.MAP_STACK) == 11
    assert verdict(code, seccomp.MMAP[column], arch, 0, 2**20, 0, private | seccomp.MAP_STACK) == ALLOWED
    assert verdict(code, seccomp.MMAP[column], arch, 0, 4096, 0, private) == ALLOWED


@pytest.mark.parametrize("machine", MACHINES)
def test_what_is_sent_goes_to_the_other_end_and_to_no_address(machine: str):
    column, arch = MACHINES[machine]
    code = deny_filter(True, machine)
    assert verdict(code, seccomp.SENDTO[column], arch, 3, 1, 1, 0, 0) == ALLOWED
    for address in (0x1000, 0x7F00_0000_0000):
        assert verdict(code, seccomp.SENDTO[column], arch, 3, 1, 1, 0, address) == 1


@pytest.mark.parametrize("machine", MACHINES)
def test_no_two_calls_share_a_number(machine: str):
    column, _ = MACHINES[machine]
    tables = [*PROCESSES.values(), *ALWAYS.values(), *WITHOUT_NAMESPACES.values()]
    others = [
        seccomp.CLONE,
        seccomp.CLONE3,
        seccomp.MMAP,
        seccomp.SENDTO,
        seccomp.IOCTL,
        seccomp.FCNTL,
        seccomp.PRLIMIT64,
    ]
    numbers = [n for call in [*tables, *others] if (n := call[column])]
    assert len(numbers) == len(set(numbers))
