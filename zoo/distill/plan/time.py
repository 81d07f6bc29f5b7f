"""How long a run takes: FLOPs of a step, the teacher's forward pass in them; hours at a stated share of a GPU's peak."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from zoo.arch.gpus import load_gpus
from zoo.arch.parameters import prefill_flops
from zoo.distill.plan.setup import Setup, table_parameters

MFU = 0.3
"""Share of a GPU's dense peak that is assumed where none is stated.

Pre-training reaches 0.38 to 0.43 (arXiv 2407.21783 Table 4, Llama-3 405B on 8,192 to 16,384 H100). The one distillation whose
hours are printed is far below: NVIDIA's Model-Optimizer names 9,000 H100-hours for 80 B tokens from a 9B teacher to a 7B
student, 0.15.
"""


@dataclass(frozen=True)
class StepFlops:
    """Floating-point operations of one optimizer step, over all processes. A multiply-add counts 2."""

    teacher: int
    """The teacher's forward pass, or of a cache the head alone; 0 where the cache holds samples."""
    forward: int
    backward: int
    recomputed: int
    """A second forward pass through the layers, where activations are not kept."""

    @property
    def model(self) -> int:
        """Without what is computed twice: by this an MFU is defined."""
        return self.teacher + self.forward + self.backward

    @property
    def total(self) -> int:
        """All that is computed."""
        return self.model + self.recomputed


def step_flops(setup: Setup) -> StepFlops:
    """FLOPs of a step by the dimensions; every row is counted as one document, so packed rows take a little less."""
    rows, length = setup.train.batch, setup.train.length
    forward = rows * prefill_flops(setup.student, length)
    head = rows * length * 2 * table_parameters(setup.student)
    # Gradients of what goes in cost what the forward pass does, those of the weights as much again; frozen ones have none.
    backward = forward + (0 if setup.lora else forward)
    if setup.lora:
        backward += 3 * rows * length * 2 * setup.trained  # the adapters' own forward and both gradients
    recomputed = forward - head if setup.train.checkpoint_activations else 0
    return StepFlops(_teacher(setup, rows, length), forward, backward, recomputed)


def hours(setup: Setup, flops_per_s: float, mfu: float = MFU) -> float:
    """Hours of the whole run where each process has `flops_per_s` of peak and uses the share `mfu` of it.

    Recomputed operations count as work here, so that keeping fewer activations costs the time that it takes. Reading a cache,
    talk between processes, evaluations and checkpoints are not in it.
    """
    work = setup.train.steps * step_flops(setup).total
    return work / (setup.processes * flops_per_s * mfu) / 3600


def hours_by_gpu(setup: Setup, mfu: float = MFU) -> Mapping[str, float | None]:
    """GPU of the table → hours on as many of them as there are processes; None where its peak in that dtype is not known."""
    peaks = {name: gpu.flops_per_s(setup.train.dtype) for name, gpu in load_gpus().items()}
    return {name: None if peak is None else hours(setup, peak, mfu) for name, peak in peaks.items()}


def _teacher(setup: Setup, rows: int, length: int) -> int:
    if setup.targets == "live":
        return rows * prefill_flops(setup.teacher, length)
    return rows * length * 2 * table_parameters(setup.teacher) if setup.targets == "exact" else 0
