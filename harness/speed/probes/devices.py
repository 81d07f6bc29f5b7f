"""Which probe a device has, and what it tells here."""

from __future__ import annotations

from backends.openai.endpoint import SERVED
from harness.speed.probes.nvml_probe import open_nvml
from harness.speed.probes.os_probe import OsProbe
from harness.speed.probes.probe import NoTelemetry, Probe


def open_probe(device: str) -> Probe:
    """The probe of a device: NVML's for `cuda…`, the operating system's for a CPU. Never raises: see `NoTelemetry`."""
    if device == SERVED:
        return NoTelemetry("a server runs the model, on a machine that is not watched")
    return open_nvml(device) if device.startswith("cuda") else OsProbe()


def watched(device: str) -> str:
    """In words, what the probe of that device tells here."""
    probe = open_probe(device)
    try:
        told = [name for name, value in probe.sample().items() if value is not None]
        told += ["energy"] if probe.energy() is not None else []
    finally:
        probe.close()
    if isinstance(probe, NoTelemetry):
        return f"no telemetry ({probe.reason}), so every result is marked invalid"
    return f"telemetry: {', '.join(told)}"
