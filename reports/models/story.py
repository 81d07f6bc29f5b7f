"""A model in a few sentences: what it was made from, how much of that it keeps, how fast it is, how far to trust that."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reports.board.model import Figure, ModelFacts, Share
from reports.models.grid import counted, percent, short
from reports.models.registered import tokens_in_words
from reports.models.subject import Subject
from zoo.registry.lint import LintFinding

SCALES = ((1_000_000_000, "billion"), (1_000_000, "million"), (1_000, "thousand"))
LETTERS = {"billion": "B", "million": "M", "thousand": "K", "": ""}

COMPARED = ("reproduced", "differs", "not resolved")
"""Verdicts on figures that measure the same thing."""


def story(subject: Subject, names: dict[str, str], findings: Sequence[LintFinding]) -> tuple[str, ...]:
    """Sentences, the most important first. `names`: the id of a model → the name that it is shown by."""
    parent = subject.facts.parent
    return tuple(
        sentence
        for sentence in (
            _made(subject, names.get(parent, parent) if parent else None),
            *_kept(subject, names),
            _faster(subject, names),
            _evidence(subject, findings),
        )
        if sentence
    )


def _made(subject: Subject, parent: str | None) -> str:
    facts = subject.facts
    size = "" if facts.parameters is None else f"{in_words(facts.parameters)} parameters"
    if parent is None:
        return f"{size}." if size else ""
    lineage = subject.entry.lineage if subject.entry else None
    how = " and ".join(lineage.relation) if lineage else "made"
    spent = f", distilled on {tokens_in_words(facts.distillation_tokens)}" if facts.distillation_tokens else ""
    return f"{how.capitalize()} from {short(parent)}: {size or 'parameters unknown'}{_of_parent(facts)}{spent}."


def _of_parent(facts: ModelFacts) -> str:
    if not facts.parameters or not facts.parent_parameters:
        return ""
    share = facts.parameters / facts.parent_parameters
    return f", {100 * share:.0f} % of its parent's" if share < 1 else ", as many as its parent"


def _kept(subject: Subject, names: dict[str, str]) -> Iterator[str]:
    """The range over tasks of what is kept, measured and published apart; a mean over tasks would be one of nothing.

    Shares without an interval have no part in it where others have one.
    """
    for told, published in (("Measured", False), ("By published pairs", True)):
        shares = [
            (key.task, figure.retained)
            for _, key, figure in subject.figures()
            if _counts(figure) and figure.retained is not None and (figure.retained.source == "published") is published
        ]
        told_apart = [pair for pair in shares if pair[1].lower is not None] or shares
        known = sorted(
            ((task, share) for task, share in told_apart if share.value is not None),
            key=lambda pair: (pair[1].value or 0.0, pair[0]),
        )
        if known:
            (least, low), (most, high) = known[0], known[-1]
            of = names.get(low.parent, low.parent)
            tasks = len({task for task, _ in known})
            if tasks == 1:
                yield f"{told}, it keeps {_with_ends(low)} of {short(of)}'s score above chance on {short(least)}."
            else:
                yield (
                    f"{told}, it keeps between {_with_ends(low)} ({short(least)}) and {_with_ends(high)} ({short(most)}) of "
                    f"{short(of)}'s score above chance, on {tasks} tasks."
                )


def _counts(figure: Figure) -> bool:
    """Whether a figure is of a whole task."""
    return figure.total is None or figure.n is None or figure.n >= figure.total


def _with_ends(share: Share) -> str:
    ends = "" if share.lower is None or share.upper is None else f" [{percent(share.lower)}, {percent(share.upper)}]"
    return f"{percent(share.value)}{ends}"


def _faster(subject: Subject, names: dict[str, str]) -> str:
    """The speed-up that counts most: measured before published."""
    ups = [up for row in subject.rows for up in row.speedups]
    if not ups:
        return ""
    best = min(ups, key=lambda up: (up.source == "published", -up.ratio))
    where = f" on {short(best.hardware)}" if best.hardware else ""
    how = "as published" if best.source == "published" else f"at {best.rule}, {best.source}"
    return f"It is {best.ratio:.2f}× as fast as {short(names.get(best.against, best.against))}{where} ({how})."


def _evidence(subject: Subject, findings: Sequence[LintFinding]) -> str:
    published, measured = subject.count(published=True), subject.count(published=False)
    printed = list(dict.fromkeys(figure.origin for _, _, figure in subject.figures() if figure.source == "published"))
    disagree, weights = (sum(found.rule == rule for found in findings) for rule in ("conflict", "revision"))
    if not published and not measured:
        return "Nobody has published a figure that this registry cites, and none is measured here yet."
    told = counted(published, "published figure") if published else "No published figure"
    told += f" from {counted(len(printed), 'source')}" if printed else ""
    told += f", {counted(disagree, 'disagreement')} among them" if disagree else ""
    told += f", {counted(weights, 'task')} on which two sets of weights differ" if weights else ""
    verdicts = [figure.verdict for _, _, figure in subject.figures() if figure.verdict in COMPARED]
    held = f", {verdicts.count('reproduced')} of {len(verdicts)} that can be compared reproduced" if verdicts else ""
    return f"{told}; {counted(measured, 'figure') if measured else 'none'} measured here{held}."


def in_words(number: int) -> str:
    """`8.41 billion`, `729 thousand`."""
    digits, name = _scaled(number)
    return f"{digits} {name}".rstrip()


def in_short(number: int) -> str:
    """`8.41 B`, `729 K`."""
    digits, name = _scaled(number)
    return f"{digits} {LETTERS[name]}".rstrip()


def _scaled(number: int) -> tuple[str, str]:
    """Three digits of a large number, and the name of what they count."""
    for scale, name in SCALES:
        if number >= scale:
            share = number / scale
            return f"{share:.{max(0, 3 - len(str(int(share))))}f}", name
    return str(number), ""
