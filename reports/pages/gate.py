"""The page of the gate's certificate: how often the nightly gate alarms of nothing, and what it finds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from reports.models.grid import counted
from reports.pages.certificate import bars, sections
from reports.site import addresses
from reports.site.frame import page
from reports.site.input import SiteInput

CERTIFICATE = Path(__file__).parent.parent.parent / "docs" / "gate-certificate.md"
"""In a checkout; an installed package has none."""


def pages(site: SiteInput, certificate: Path = CERTIFICATE) -> Iterator[tuple[str, str]]:
    """gate.html: the certificate where the checkout has it, else where it is to be had."""
    found = sections(certificate.read_text("utf-8")) if certificate.is_file() else ()
    met, promised = bars(found)
    yield (
        addresses.GATE,
        page(
            "gate.html.j2",
            addresses.GATE,
            "The gate's certificate",
            styles=("models.css", "gate.css"),
            description="How often minizoo's nightly gate alarms of nothing, and what it finds.",
            version=site.version,
            lede=summary(met, promised),
            sections=found,
        ),
    )


def summary(met: int, promised: int) -> str:
    """How much of what is promised is met, in a sentence; empty where nothing is promised."""
    if not promised:
        return ""
    told = f"All {promised} bars" if met == promised else f"{met} of {counted(promised, 'bar')}"
    return f"{told} on its false alarms and on what it must find are met."
