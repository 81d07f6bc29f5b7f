"""What `minizoo distill --dry-run` shows: steps, FLOPs, memory of a device, disk, and hours on each GPU of the table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from minizoo.display.scale import rough_duration, scaled_unit
from minizoo.output import Column, Output

if TYPE_CHECKING:
    from zoo.distill.plan.memory import Memory
    from zoo.distill.preview import DistillPlan, OneGpu
    from zoo.distill.teacher.choose import TeacherChoice, TeacherOption


def show_plan(output: Output, plan: DistillPlan) -> None:
    """The plan as tables, or as one document."""
    if output.as_json:
        output.document("distillation-plan", _document(plan))
        return
    output.table([Column("of the run"), Column("")], _facts(plan))
    output.text()
    output.table([Column("memory of a device"), Column("", number=True)], _memory(plan.memory))
    output.text()
    if plan.host is not None:
        output.table([Column("memory of the host, a process"), Column("", number=True)], _memory(plan.host))
        output.text()
    headings = ("bytes a token", "on the disk", "FLOP to make", "FLOP a use")
    output.table(
        [Column("teacher"), *(Column(heading, number=True) for heading in headings), Column("fits"), Column("pays")],
        [_option(option) for option in plan.choice.options],
    )
    output.text(f"Advised: {plan.choice.taken}, since {plan.choice.why}.")
    output.text()
    output.table(
        [Column(f"{plan.setup.processes} of"), *(Column(h, number=True) for h in ("rows at once", "peak", "hours"))],
        [_gpu(gpu) for gpu in plan.gpus],
    )
    left_out = "evaluations and checkpoints"
    if plan.host is not None:
        left_out = "evaluations, checkpoints, the weights' way from the host and the optimizer there"
    output.text(f"None: it does not fit. Hours at {100 * plan.mfu:g} % of the peak, without {left_out}.")
    if plan.ways:
        output.text(f"It fits none of them. These would fit: {'; or '.join(plan.ways)}.")
    told = {"Stated by the recipe's source:": plan.stated, "Left open by it:": plan.assumed, "Notes:": plan.notes}
    for heading, lines in told.items():
        if lines:
            output.text()
            output.text(heading)
            for line in lines:
                output.text(f"  {line}")


def _facts(plan: DistillPlan) -> Iterator[tuple[str, str]]:
    setup, train, disk = plan.setup, plan.setup.train, plan.disk
    yield "student", f"{plan.student}, {setup.parameters:,} parameters"
    yield "teacher", plan.teacher
    if plan.correction is not None:
        yield "teacher's correction", f"{plan.correction}; not in the figures below"
    if setup.lora:
        yield "trained", f"{setup.trained:,} parameters of adapters of rank {setup.lora}"
    yield "tokens", f"{plan.tokens:,}"
    yield "steps", f"{train.steps:,} of {train.batch:,} rows of {train.length:,} tokens"
    yield "FLOP a step", scaled_unit(plan.flops.total, "FLOP")
    yield "  of the teacher", scaled_unit(plan.flops.teacher, "FLOP")
    yield "FLOP of the run", f"{plan.total_flops:.3g}"
    layout = "whole" if setup.layout == "none" else setup.layout
    yield "processes", f"{setup.processes}, weights {layout}{' on the host' if train.offload else ''}"
    yield "rows of text on the disk", scaled_unit(disk.tokens, "B")
    yield (
        "checkpoints on the disk",
        f"{scaled_unit(disk.checkpoints, 'B')} at the most, {scaled_unit(disk.checkpoint, 'B')} each",
    )


def _memory(memory: Memory) -> Iterator[tuple[str, str]]:
    for part in memory.parts:
        yield part.name, scaled_unit(part.bytes, "B")
    yield f"all of it, at {memory.moment}", scaled_unit(memory.total, "B")


def _option(option: TeacherOption) -> tuple[str, ...]:
    cached = option.source != "live"
    return (
        option.source,
        f"{option.bytes_a_token:,}" if cached else "",
        scaled_unit(option.bytes, "B") if cached else "",
        f"{option.making_flops:.3g}" if cached else "",
        f"{option.use_flops:.3g}",
        "yes" if option.fits else "no",
        "" if not cached else "never" if option.pays_from is None else f"from {option.pays_from} uses on",
    )


def _gpu(gpu: OneGpu) -> tuple[str, ...]:
    if gpu.fits is None:
        return gpu.name, "none", "", ""
    hours = "unknown" if gpu.hours is None else rough_duration(gpu.hours * 3600, about="")
    return gpu.name, f"{gpu.fits.setup.train.micro:,}", scaled_unit(gpu.fits.memory.total, "B"), hours


def _document(plan: DistillPlan) -> dict[str, Any]:
    setup = plan.setup
    return {
        "student": plan.student,
        "teacher": plan.teacher,
        "parameters": setup.parameters,
        "trained": setup.trained,
        "tokens": plan.tokens,
        "training": asdict(setup.train),
        "loss": asdict(setup.loss),
        "targets": setup.targets,
        "processes": setup.processes,
        "flops_a_step": {**asdict(plan.flops), "total": plan.flops.total},
        "flops": plan.total_flops,
        "memory": _parts(plan.memory),
        "host_memory": None if plan.host is None else _parts(plan.host),
        "disk": asdict(plan.disk),
        "teacher_forms": _choice(plan.choice),
        "mfu": plan.mfu,
        "gpus": [
            {
                "name": gpu.name,
                "memory": gpu.memory,
                "micro": gpu.fits.setup.train.micro if gpu.fits else None,
                "peak": gpu.fits.memory.total if gpu.fits else None,
                "hours": gpu.hours,
            }
            for gpu in plan.gpus
        ],
        "would_fit": list(plan.ways),
        "stated": list(plan.stated),
        "assumed": list(plan.assumed),
        "notes": list(plan.notes),
        "correction": plan.correction,
    }


def _parts(memory: Memory) -> dict[str, Any]:
    return {
        "moment": memory.moment,
        "bytes": memory.total,
        "parts": {part.name: part.bytes for part in memory.parts},
    }


def _choice(choice: TeacherChoice) -> dict[str, Any]:
    return {"taken": choice.taken, "why": choice.why, "options": [asdict(option) for option in choice.options]}
