"""What one model is asked, asked of another; whether both can be compared token by token, and else refused by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import zip_longest
from typing import NamedTuple

from backends.contract import ScoreRequest
from backends.memory import check_device
from backends.opening import check_backend, default_backend
from backends.tokenizer import HfTokenizer
from harness.accuracy.plan import units_of
from harness.accuracy.prepare import EvalRequest, Evaluation
from harness.lmeval.encoding import Unit
from harness.lmeval.vocabulary import check_vocabulary, rows_of
from zoo.checkpoint.locate import outline
from zoo.checkpoint.model_ref import resolve
from zoo.errors import OtherTokens

HINT = "Compare models of one family; `minizoo compare` without --kl pairs answers and needs no common tokens."


class Vocabulary(NamedTuple):
    """What both tokenizers have: how many ids, and what the models are called."""

    ids: int
    names: tuple[str, str]

    def shared(self, rows_a: int, rows_b: int) -> int:
        """Over how many tokens heads of so many rows are compared: of unlike ones the rows that both have.

        Raises OtherTokens where one has no row for an id of the tokenizer that the other has a row for.
        """
        least = min(rows_a, rows_b)
        if rows_a != rows_b and least < self.ids:
            raise OtherTokens(
                f"The head of {self.names[0]} has {rows_a:,} rows, that of {self.names[1]} {rows_b:,}, and the tokenizer "
                f"{self.ids:,} ids: for some of them one model alone has a probability.",
                HINT,
            )
        return least


def asked_of_another(evaluation: Evaluation, request: EvalRequest) -> Evaluation | None:
    """The evaluation's very prompts, asked of the request's model; None where its tokenizer or context is another, since its
    prompts then have to be made anew. Raises what `resolve`, `outline` and `check_device` raise, TokenOutsideVocabulary.
    """
    model = resolve(request.model, request.name, request.parent)
    if request.backend is not None:
        check_backend(request.backend)
    found = outline(model)
    backend = request.backend or default_backend(found)
    check_device(found, backend, request.options)
    asked = evaluation.outline
    if (found.tokenizer_digest(), found.max_length) != (asked.tokenizer_digest(), asked.max_length):
        return None
    check_vocabulary(units_of(evaluation.plans), rows_of(found.config), HfTokenizer(asked.folder))
    return replace(evaluation, request=request, outline=found, backend=backend, notes=())


def same_questions(a: Evaluation, b: Evaluation) -> Vocabulary:
    """The vocabulary of two evaluations that ask the same tokens of both models; OtherTokens for any other two."""
    names = a.outline.name, b.outline.name
    ids = _same_vocabulary(a, b)
    vocabulary = Vocabulary(len(ids), names)
    rows = rows_of(a.outline.config), rows_of(b.outline.config)
    if rows[0] is not None and rows[1] is not None:
        vocabulary.shared(rows[0], rows[1])
    if b.plans is not a.plans:
        _same_units(a, b)
    return vocabulary


def _same_vocabulary(a: Evaluation, b: Evaluation) -> Mapping[str, int]:
    ours = _ids(a)
    if a.outline.tokenizer_digest() == b.outline.tokenizer_digest():
        return ours
    theirs = _ids(b)
    if ours == theirs:
        return ours
    differing = sorted(set(ours.items()) ^ set(theirs.items()), key=lambda entry: entry[1])
    token, number = differing[0]
    raise OtherTokens(
        f"{a.outline.name} and {b.outline.name} have other vocabularies ({len(ours):,} and {len(theirs):,} ids; the first that "
        f"differs is {number:,}, {token!r}): a probability of one is of another token in the other.",
        HINT,
    )


def _ids(evaluation: Evaluation) -> Mapping[str, int]:
    return HfTokenizer(evaluation.outline.folder).inner.get_vocab()


def _same_units(a: Evaluation, b: Evaluation) -> None:
    """Every request of one is asked of the other, in the same tokens."""
    for ours, theirs in zip_longest(a.plans, b.plans):
        if ours is None or theirs is None or ours.name != theirs.name:
            raise OtherTokens(
                f"{a.outline.name} and {b.outline.name} are not asked the same tasks: "
                f"{', '.join(plan.name for plan in a.plans)} and {', '.join(plan.name for plan in b.plans)}.",
                "Name tasks that both can be asked (--tasks).",
            )
        for one, other in zip_longest(ours.units, theirs.units):
            if one is None or other is None or one.key != other.key or _fed(one) != _fed(other):
                unit = one or other
                where = f"{ours.name}, document {unit.key.doc_id}" if unit else ours.name
                raise OtherTokens(
                    f"{a.outline.name} and {b.outline.name} are not asked the same tokens, first in task {where}: their "
                    f"tokenizers cut the text otherwise, or their contexts ({a.outline.max_length:,} and "
                    f"{b.outline.max_length:,} tokens) take in more or less of it.",
                    HINT,
                )


def _fed(unit: Unit) -> object:
    request = unit.request
    return (request.context, request.continuation) if isinstance(request, ScoreRequest) else request.prompt
