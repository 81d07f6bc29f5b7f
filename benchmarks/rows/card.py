"""What the card is and whether it can be measured, asked in a process of its own.

    python -m benchmarks.rows.card --device auto

A process that asks CUDA is one more process on the GPU, which would make every row invalid: so whoever runs the steps reads
this one's answer, a JSON document, and never asks CUDA itself.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Sequence
from typing import Literal

from benchmarks.rows.process import Runner
from benchmarks.rows.told import document_of, error_of
from harness.nvml import NvmlRefused
from harness.records.provenance import version_of
from minizoo.output import told_error
from zoo.errors import DeviceMissing, MinizooError, UnsupportedDtype, one_line
from zoo.strict import Frozen

SCHEMA: Literal["minizoo.card/1"] = "minizoo.card/1"
CPU = "--device cpu measures the processor instead."
SPARE_SHARE, SPARE_BYTES = 0.04, 1_500_000_000
"""Left free for CUDA's context, activations and the copies that measure bandwidth: the larger of the two."""


class Card(Frozen):
    """A device as torch and NVML (of a CPU the operating system) tell of it. Bytes; None is what they do not tell."""

    schema_version: Literal["minizoo.card/1"] = SCHEMA
    device: str
    product: str
    capability: str | None = None
    memory: int | None = None
    free: int | None = None
    """Memory that nobody holds now."""
    bfloat16: bool = True
    """Whether it multiplies bf16 itself, not by detours."""
    mig: bool = False
    """Whether it is a part of a GPU, or a GPU that is split into parts."""
    driver: str | None = None
    cuda: str | None = None
    """What torch is built for."""
    torch: str | None = None
    transformers: str | None = None
    others: int | None = None
    """Other processes on the GPU."""
    telemetry: str | None = None
    """Why clocks and other processes cannot be watched; None where they can."""

    @property
    def room(self) -> int | None:
        """Bytes that weights and caches may take."""
        if self.free is None:
            return None
        return self.free - max(SPARE_BYTES, int(SPARE_SHARE * (self.memory or self.free)))

    def notes(self) -> list[str]:
        """What the rows of this card lack, and what is to be put right before it is measured."""
        found: list[str] = []
        if self.mig:
            found.append("MIG is on: no energy is taken, and a part of a GPU has no data-sheet roofline.")
        if self.telemetry:
            found.append(f"No telemetry ({self.telemetry}): every row will be invalid.")
        if self.others:
            others = f"{self.others} other process{'es' if self.others > 1 else ''}"
            found.append(f"{others} on the GPU: no row is valid beside them.")
        return found


def ask(run: Runner, device: str) -> Card:
    """The card, asked in a process of its own. Raises DeviceMissing where there is none, or it cannot be used."""
    done = run([sys.executable, "-P", "-m", "benchmarks.rows.card", "--device", device])
    document = document_of(done.out)
    if error := error_of(document):
        raise error
    if done.code or document.get("schema_version") != SCHEMA:
        raise DeviceMissing(
            f"{device} could not be asked what it is ({done.last_line}).", f"Run `minizoo doctor`; {CPU}"
        )
    return Card.model_validate(document)


def check_dtype(card: Card, dtype: str) -> None:
    """UnsupportedDtype for bf16 on a card that has none: it would be computed by detours, and the row be no figure of it."""
    if dtype == "bfloat16" and not card.bfloat16:
        raise UnsupportedDtype(
            f"{card.product} (compute capability {card.capability}) does not multiply bfloat16 itself: it would be computed by "
            "detours, and its figures would say nothing of the card.",
            "Take --dtype float16, in a --results folder of its own.",
        )


def read(device: str) -> Card:
    """The card, asked here: leaves a CUDA context behind. `auto` is the first GPU; a CPU has to be named.

    Raises InvalidOption for what is no device, DeviceMissing where torch has no such GPU or cannot use it.
    """
    return _processor() if device == "cpu" else _gpu(device)


def _processor() -> Card:
    from backends.memory import available_bytes
    from harness.speed.probes.os_probe import OsProbe

    facts = OsProbe().facts()
    return Card(
        device="cpu",
        product=str(facts["product"] or "a processor that does not tell its name"),
        memory=facts["memory_bytes"],
        free=available_bytes(),
        torch=version_of("torch"),
        transformers=version_of("transformers"),
    )


def _gpu(wanted: str) -> Card:
    import torch

    from backends.hf.loading import resolve_device
    from harness.speed.probes.devices import open_probe

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        available = torch.cuda.is_available()
    if not available:
        raise _missing([one_line(warning.message) for warning in caught if isinstance(warning.message, Warning)])
    device = resolve_device(wanted)
    if device == "cuda":
        device = "cuda:0"
    told = torch.cuda.get_device_properties(device)
    probe = open_probe(device)
    try:
        free, memory = _computed_on(device)
        facts, others = probe.facts(), probe.sample().get("other_processes")  # this process is one of them now
    except RuntimeError as error:
        raise DeviceMissing(
            f"{told.name} refuses to compute ({one_line(error)}).",
            f"Install a torch that is built for compute capability {told.major}.{told.minor}; {CPU}",
        ) from error
    finally:
        probe.close()
    return Card(
        device=device,
        product=str(facts.get("product") or told.name),
        capability=f"{told.major}.{told.minor}",
        memory=memory,
        free=free,
        bfloat16=told.major >= 8,  # as torch.cuda.is_bf16_supported(including_emulation=False)
        mig=bool(facts.get("mig")),
        driver=facts.get("driver"),
        cuda=torch.version.cuda,
        others=None if others is None else int(others),
        telemetry=facts.get("telemetry"),
        torch=version_of("torch"),
        transformers=version_of("transformers"),
    )


def _computed_on(device: str) -> tuple[int, int]:
    """Free and whole memory of a device, once it has computed something; RuntimeError where it does not."""
    import torch

    torch.ones(8, device=device).sum().item()
    return torch.cuda.mem_get_info(device)


def _missing(warned: Sequence[str]) -> DeviceMissing:
    """Why torch has no GPU: it is built for none, its CUDA is newer than the driver, or there is none."""
    import torch

    from harness.speed.probes.nvidia_gpus import hint_of, read_gpus

    if not torch.version.cuda:
        return DeviceMissing(
            f"torch {torch.__version__} is built for processors alone.", f"Install one that is built for CUDA; {CPU}"
        )
    if warned:
        return DeviceMissing(
            f"torch {torch.__version__}, built for CUDA {torch.version.cuda}, cannot use the GPU: {warned[0]}",
            f"Update the driver, or install a torch that is built for an older CUDA; {CPU}",
        )
    try:
        gpus = read_gpus()
    except NvmlRefused as refusal:
        return DeviceMissing(f"There is no GPU that torch sees here (NVML: {refusal}).", f"{hint_of(refusal)} {CPU}")
    seen = "; ".join(gpus.devices) or "no device visible"
    return DeviceMissing(
        f"torch {torch.__version__}, built for CUDA {torch.version.cuda}, sees no GPU here; NVML does: {seen}, driver "
        f"{gpus.driver} (CUDA {gpus.cuda}).",
        f"Give this job a GPU (`--gpus all`, CUDA_VISIBLE_DEVICES), or install a torch built for the driver's CUDA; {CPU}",
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Print the card, or the error, as a JSON document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="auto")
    device = parser.parse_args(argv).device
    try:
        print(read(device).model_dump_json(indent=1))
    except MinizooError as error:
        print(json.dumps({"schema": "minizoo.error/1", **told_error(error)}))
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
