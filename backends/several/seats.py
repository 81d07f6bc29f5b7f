"""Which devices a call for several means, and what each worker gets of the machine's cores."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import NamedTuple

from backends.contract import Options
from zoo.errors import SeveralDevices

ALL = ("all",)
"""In `Options.devices`: every GPU of the machine, or where there is only one, or none, what `device` says."""
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


class Seat(NamedTuple):
    """Where one worker runs."""

    device: str
    threads: int

    @property
    def environment(self) -> dict[str, str]:
        """What tells its libraries how many cores are theirs."""
        return environment_of(self.threads)


def environment_of(threads: int) -> dict[str, str]:
    """What tells a process's libraries how many cores are theirs."""
    return dict.fromkeys(THREADS, str(threads))


def seats_of(options: Options) -> list[Seat]:
    """The seats that the options ask for; none where the model runs in this process. SeveralDevices for a contradiction."""
    if options.workers:
        return _on_the_cpu(options)
    devices = _named(options)
    if len(devices) > 1 or options.python or options.worker_command:
        return _with_cores([*devices] or [options.device])
    return []


def in_one_process(options: Options) -> Options:
    """The options of a backend that runs on one device, in whatever process."""
    devices = _named(options)
    device = devices[0] if devices else options.device
    return replace(options, device=device, devices=(), workers=0, python=None, worker_command=())


def _on_the_cpu(options: Options) -> list[Seat]:
    if options.devices not in ((), ALL):
        raise SeveralDevices(
            "Workers share a CPU, and devices have one each: both are given.", "Give --workers or --devices, not both."
        )
    if options.device not in ("cpu", "auto") or (options.device == "auto" and _gpus()):
        raise SeveralDevices(
            f"--workers {options.workers} share the CPU, and the model would run on {_gpus() or [options.device]}.",
            "Add `--device cpu`, or give `--devices cuda:0,cuda:1`.",
        )
    return _with_cores(["cpu"] * options.workers)


def _named(options: Options) -> tuple[str, ...]:
    """The devices by name, each once; none where `device` says it."""
    if options.devices == ALL:
        return tuple(gpus) if options.device == "auto" and len(gpus := _gpus()) > 1 else ()
    if options.devices and options.device != "auto":
        raise SeveralDevices(
            f"--device {options.device} and --devices {','.join(options.devices)} both say where.", "Give one of them."
        )
    twice = [device for device in set(options.devices) if options.devices.count(device) > 1]
    if twice:
        raise SeveralDevices(f"{min(twice)} is named twice: a device has one worker.", "Name each once.")
    return options.devices


def _with_cores(devices: list[str]) -> list[Seat]:
    told = os.environ.get("OMP_NUM_THREADS", "")
    cores = int(told) if told.isdecimal() and int(told) else len(os.sched_getaffinity(0))
    return [Seat(device, max(1, cores // len(devices))) for device in devices]


def _gpus() -> list[str]:
    import torch

    return [f"cuda:{index}" for index in range(torch.cuda.device_count())]
