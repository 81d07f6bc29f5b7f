"""What a record says of scoring beside another engine: the same requests of the same model, on one device."""

from __future__ import annotations

from typing import Literal

from zoo.strict import Frozen


class Agreement(Frozen):
    """How far one engine's answers are from another's, over the same requests."""

    flips: int
    """Documents whose likeliest answer is another one."""
    largest: float
    """The largest |Δ log p| of a request."""


class BesideFacts(Frozen):
    """A part of a task, scored by minizoo and by a reference one after the other, each in a process of its own.

    Seconds are those of the scoring calls, without loading. The ratio is derived: `reference_seconds / seconds`.
    """

    reference: str
    """The other engine in words: `lm-eval HFLM, batch 1`."""
    weights: Literal["real", "random"]
    tokenizer: str
    """Whose tokenizer made the requests: the model's own, or another's where that was not there."""
    shots: int
    documents: int
    """Chosen by their hash."""
    of: int
    """Documents of the whole task."""
    requests: int
    seconds: float
    reference_seconds: float
    peak_bytes: int | None = None
    """Device memory by torch's allocator on a GPU, the process's on a CPU."""
    reference_peak_bytes: int | None = None
    agreement: Agreement
    """Of minizoo's answers with the reference's."""
    checked_documents: int = 0
    """Of them, those that were also scored by a plain fp32 forward pass on the same device; 0 where it did not fit."""
    from_fp32: Agreement | None = None
    """Of minizoo's answers with that pass."""
    reference_from_fp32: Agreement | None = None
    conforms: bool | None = None
    """Whether minizoo's answers flip in no more of those documents than the reference's; None where none were checked."""
    note: str | None = None
    """Why less was measured than asked."""
