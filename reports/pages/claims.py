"""The page of claims: sentences of cards and papers with the numbers that they come to, and what was measured of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.store.claim_evidence import claim_evidence
from reports.models.grid import Cell, Column, Grid, Target, counted, grid, listed
from reports.models.subject import subjects
from reports.pages.targets import way_from
from reports.site import addresses
from reports.site.frame import page
from reports.site.input import SiteInput
from zoo.claims.analyses import ClaimStep
from zoo.claims.judge import ClaimVerdict, Judged, judge_claims
from zoo.registry.loader import Registry
from zoo.registry.published import Source

VERDICTS: dict[ClaimVerdict, tuple[str, str]] = {
    "contradicted": ("bad", "The numbers say otherwise"),
    "holds with a caveat": ("caveat", "True as printed, and less than it sounds"),
    "holds": ("good", "The numbers agree"),
    "needs a measurement": ("open", "No arithmetic can tell: it has to be run"),
}
"""Verdict → how it is marked, and what it means; in the order of the page."""
STEPS = {True: ("agrees", "good"), False: ("differs", "bad"), None: ("", "")}
COLUMNS = (
    Column("What", wide=True), Column("Comes to", wide=True), Column("Against the claim"), Column("Computed as", wide=True),
    Column("Run"),
)  # fmt: skip
EMPHASIS = re.compile(r"\*\*(?P<strong>.+?)\*\*|(?<!\w)_(?P<em>[^_]+)_(?!\w)")
"""How a card's own source writes bold and italics."""


@dataclass(frozen=True)
class ClaimCard:
    """A claim as the page shows it. `quote` is in parts: text, and the element (`strong`, `em`) that it stands in, or none."""

    claim: Judged
    quote: tuple[tuple[str, str], ...]
    says: str
    mark: str
    sources: tuple[tuple[str, Source], ...]
    inputs: str
    steps: Grid | None


@dataclass(frozen=True)
class Verdict:
    """The claims of one verdict."""

    name: str
    mark: str
    meaning: str
    cards: tuple[ClaimCard, ...]


def pages(site: SiteInput) -> Iterator[tuple[str, str]]:
    """claims.html: every claim of the zoo, what contradicts first."""
    judged = judge_claims(site.registry, claim_evidence(site.results, site.registry))
    verdicts = tuple(_verdict(name, judged, site.registry) for name in VERDICTS)
    yield (
        addresses.CLAIMS,
        page(
            "claims.html.j2",
            addresses.CLAIMS,
            "Claims",
            styles=("models.css", "claims.css"),
            description="Sentences of model cards and papers, recomputed.",
            version=site.version,
            lede=summary(judged),
            verdicts=[verdict for verdict in verdicts if verdict.cards],
            way=way_from(addresses.CLAIMS, {subject.facts.id for subject in subjects(site.board, site.registry)}, ()),
        ),
    )


def summary(judged: Sequence[Judged]) -> str:
    """How many sentences have which verdict."""
    found = [(name, sum(claim.verdict == name for claim in judged)) for name in VERDICTS]
    words = {
        "contradicted": "contradicted by the numbers",
        "holds with a caveat": "true with a caveat",
        "holds": "true as they stand",
        "needs a measurement": "not to be told without a measurement",
    }
    told = listed([f"{number} {'is' if number == 1 else 'are'} {words[name]}" for name, number in found if number])
    return f"Of {counted(len(judged), 'checkable sentence')} on cards and in papers, {told}." if judged else ""


def _verdict(name: ClaimVerdict, judged: Sequence[Judged], registry: Registry) -> Verdict:
    mark, meaning = VERDICTS[name]
    return Verdict(name, mark, meaning, tuple(_card(claim, registry) for claim in judged if claim.verdict == name))


def _card(claim: Judged, registry: Registry) -> ClaimCard:
    return ClaimCard(
        claim=claim,
        quote=tuple(_parts(claim.quote)),
        says=f"{claim.says}{claim.unit}" if claim.says else "",
        mark=VERDICTS[claim.verdict][0],
        sources=tuple((name, registry.sources[name]) for name in claim.sources),
        inputs=", ".join(f"{name} = {_exact(value)}" for name, value in claim.inputs.items()),
        steps=grid(f"The numbers of “{claim.id}”.", COLUMNS, [_step(step) for step in claim.steps]),
    )


def _exact(value: float) -> str:
    """An input with all its digits."""
    return f"{value:,.0f}" if value.is_integer() else f"{value:,.12g}"


def _parts(quote: str) -> Iterator[tuple[str, str]]:
    at = 0
    for match in EMPHASIS.finditer(quote):
        yield quote[at : match.start()], ""
        kind = match.lastgroup or ""
        yield match[kind], kind
        at = match.end()
    yield quote[at:], ""


def _step(step: ClaimStep) -> list[Cell]:
    word, mark = STEPS[step.agrees]
    run = step.measured.run_id if step.measured else None
    return [
        Cell(step.label),
        Cell(step.text),
        Cell(word, mark=mark),
        Cell(step.formula or ""),
        Cell("run", to=Target("run", run)) if run else Cell(""),
    ]
