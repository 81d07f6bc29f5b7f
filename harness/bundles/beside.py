"""Where a record of scoring beside another engine contradicts itself; no times of single requests stand by to hold it to."""

from __future__ import annotations

import math
from collections.abc import Iterator

from harness.records.beside_record import Agreement, BesideFacts


def beside_contradictions(beside: BesideFacts) -> Iterator[str]:
    """A sentence for each."""
    for whose, seconds in {"": beside.seconds, "of the reference ": beside.reference_seconds}.items():
        if not (math.isfinite(seconds) and seconds > 0):
            yield f"scoring {whose}took {seconds:g} s"
    if not 0 < beside.documents <= beside.of:
        yield f"{beside.documents} documents of {beside.of} were scored"
    if beside.requests < beside.documents:
        yield f"{beside.requests} requests of {beside.documents} documents"
    if not 0 <= beside.checked_documents <= beside.documents:
        yield f"{beside.checked_documents} documents of {beside.documents} were checked"
    yield from _agreement("the reference", beside.agreement, beside.documents)
    yield from _agreement("the fp32 pass", beside.from_fp32, beside.checked_documents)
    yield from _agreement(
        "the fp32 pass, of the reference's answers", beside.reference_from_fp32, beside.checked_documents
    )
    yield from _conformance(beside)


def _agreement(whose: str, agreement: Agreement | None, documents: int) -> Iterator[str]:
    if agreement is None:
        return
    if not 0 <= agreement.flips <= documents:
        yield f"{agreement.flips} of {documents} documents flip beside {whose}"
    if not (math.isfinite(agreement.largest) and agreement.largest >= 0):
        yield f"the largest difference from {whose} is {agreement.largest:g}"


def _conformance(beside: BesideFacts) -> Iterator[str]:
    if beside.from_fp32 is None or beside.reference_from_fp32 is None:
        if beside.conforms is not None:
            yield "it says whether it conforms, and nothing was checked in fp32"
        return
    conforms = beside.from_fp32.flips <= beside.reference_from_fp32.flips
    if beside.conforms is not conforms:
        said = {True: "it conforms", False: "it does not conform", None: "nothing of whether it conforms"}[
            beside.conforms
        ]
        yield (
            f"it says {said}, and {beside.from_fp32.flips} documents flip from the fp32 pass where the reference's "
            f"{beside.reference_from_fp32.flips} do"
        )
