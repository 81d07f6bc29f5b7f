"""docs/architectures.md: which classes are packed, and why the others are not. Run as a module, this prints the page."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterable, Sequence

import torch
import transformers

from support.architecture_sweep import Swept, swept, swept_names
from support.paths import ROOT
from support.tiny_architectures import causal_lm_classes, made_types
from support.tiny_shapes import NO_REFERENCE, NOT_MADE, VARIANTS

PAGE = ROOT / "docs" / "architectures.md"
COMMAND = "PYTHONPATH=tests .venv/bin/python -m support.architecture_page > docs/architectures.md"
HEAD = """\
# Which model classes are packed

Made with transformers {version}, by `{command}`.

transformers' `AutoModelForCausalLM` knows {types} model types, of {classes} classes. A tiny random model of {made} types
({made_classes} classes) is made and run here: {packed} types are **packed** (scores, generations and streams share
prefixes), {plain} run **plain**, each for the reason beside it. Whatever the way, log p of every token is that of the
model's own forward pass, and what is generated and streamed are the tokens that it puts first;
`tests/backends/test_architecture_sweep_*.py` prove it for every line, with `--exact` too. {left} types are not made; they
are at the end.

A model is packed only where a trial at its opening shows that packing is exact, so a checkpoint of one of these classes may
still run plain, and says why; the reason is in every record, as `scoring`.
"""


def how_shown(outcome: Swept) -> str:
    """`packed`, or the reason against it, without figures, which differ between processors."""
    reason = outcome.how.removeprefix("plain, since ")
    return re.sub(r" by \S+ in log p", " in log p", reason).replace("|", "\\|")


def row_of(outcome: Swept) -> str:
    """The line of a model type or variant."""
    kind = VARIANTS.get(outcome.name, (outcome.name, {}))[0]
    ways = [outcome.ways] if outcome.ways else []
    if outcome.name in NO_REFERENCE:
        ways.append(f"scores only: {NO_REFERENCE[outcome.name]}")
    return f"| {outcome.name} | {causal_lm_classes()[kind]} | {how_shown(outcome)} | {'; '.join(ways)} |"


def page_of(outcomes: Sequence[Swept]) -> str:
    """The whole page, from the outcome of everything that is swept."""
    types = [outcome for outcome in outcomes if outcome.name not in VARIANTS]
    known, made = causal_lm_classes(), made_types()
    packed = sum(outcome.packed for outcome in types)
    head = HEAD.format(
        version=transformers.__version__,
        command=COMMAND,
        types=len(known),
        classes=len(set(known.values())),
        made=len(made),
        made_classes=len({known[kind] for kind in made}),
        packed=packed,
        plain=len(types) - packed,
        left=len(known) - len(made),
    )
    columns = ("class", "packed, or why not", "what else runs plainer")
    lines = [
        head,
        *_table(("model type", *columns), (row_of(outcome) for outcome in types)),
        "\n## What a configuration may change\n",
        *_table(("variant", *columns), (row_of(outcome) for outcome in outcomes if outcome.name in VARIANTS)),
        "\n## Not made\n",
        *_table(("model type", "class", "why"), (f"| {kind} | {known[kind]} | {why} |" for kind, why in _not_made())),
    ]
    return "\n".join(lines) + "\n"


def _not_made() -> Iterable[tuple[str, str]]:
    return ((kind, why) for kind, why in sorted(NOT_MADE.items()) if kind in causal_lm_classes())


def _table(columns: Sequence[str], rows: Iterable[str]) -> list[str]:
    return [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns), *rows]


if __name__ == "__main__":
    torch.set_num_threads(1)
    with contextlib.redirect_stdout(sys.stderr):  # some classes print
        found = [swept(name) for name in swept_names()]
    wrong = [f"{outcome.name}: {'; '.join(outcome.faults)}" for outcome in found if outcome.faults]
    sys.exit("\n".join(wrong)) if wrong else sys.stdout.write(page_of(found))
