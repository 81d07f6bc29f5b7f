"""The GPUs and what torch and `minizoo bench` can do with them."""

from __future__ import annotations

from pathlib import Path

from harness.nvml import NvmlRefused
from harness.speed.probes.nvidia_gpus import hint_of, read_gpus
from minizoo.doctor.result import CheckResult

UNRUN = "measuring on a GPU is tested with a fake NVML and has not been run on one by the project"
GIVE = (
    "Hold a first figure against another tool's. Ten minutes of this GPU are rows that nobody has yet: "
    "`python benchmarks/gpu_rows.py --minutes 10` in a checkout (docs/gpu-rows.md)."
)


def check_gpu(_: Path) -> CheckResult:
    """NVIDIA GPUs and their driver."""
    try:
        gpus = read_gpus()
    except NvmlRefused as refusal:
        return CheckResult("warn", f"none found (NVML: {refusal})", hint_of(refusal))
    driver = f"driver {gpus.driver} (CUDA {gpus.cuda})"
    if not gpus.devices:
        return CheckResult(
            "warn", f"{driver}, no device visible", "Give this job a GPU (`--gpus all`, `--gres=gpu:1`)."
        )
    return CheckResult("ok", f"{'; '.join(gpus.devices)}; {driver}")


def check_device(_: Path) -> CheckResult:
    """What minizoo computes on by default, proved by computing on it."""
    import torch

    if torch.cuda.is_available():
        try:
            torch.ones(8, device="cuda").sum().item()
        except RuntimeError as error:
            hint = "Install a torch that is built for this GPU (pytorch.org)."
            return CheckResult("fail", f"the GPU refuses to compute: {error}", hint)
        return CheckResult("ok", f"cuda: {torch.cuda.get_device_name()}, {torch.cuda.device_count()} visible")
    cpu = f"cpu, {torch.get_num_threads()} threads"
    try:
        gpus = read_gpus()
    except NvmlRefused:
        return CheckResult("ok", cpu)
    if not gpus.devices:
        return CheckResult("ok", cpu)
    built = f"for CUDA {torch.version.cuda}" if torch.version.cuda else "for CPUs"
    return CheckResult(
        "warn",
        f"{cpu}; the GPU lies idle: torch is built {built}, the driver serves CUDA {gpus.cuda}",
        "Install a torch built for the driver's CUDA (pytorch.org), or update the driver.",
    )


def check_speed(_: Path) -> CheckResult:
    """What `minizoo bench` can watch on the device that it measures by default."""
    import torch

    from harness.speed.probes.devices import watched

    on_gpu = torch.cuda.is_available()
    told = watched("cuda:0" if on_gpu else "cpu")
    return CheckResult("warn", f"{told}; {UNRUN}", GIVE) if on_gpu else CheckResult("ok", told)
