"""A call of lm-eval's requests, asked of a backend in one schedule. What is no number ends it by an error, never as a score."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from backends.contract import Backend, Generation, Score, ScoreRequest, Tokens
from harness.lmeval.encoding import Unit
from harness.records.outcome import failure_of
from zoo.errors import MinizooError, ScoresNotFinite, TokenOutsideVocabulary

REMEDIES = {
    "float16": "float16 ends at 65,504: try dtype=bfloat16 or float32; if that gives none either, training has diverged.",
    "bfloat16": "Try dtype=float32; if that gives none either, training has diverged.",
}
"""By the dtype that was computed in."""
REMEDY = "Training has diverged, or weights are damaged: fetch the checkpoint again, or take an earlier one."


def answers(engine: Backend, units: Sequence[Unit], rows: int | None) -> Iterator[tuple[int, Score | Generation]]:
    """Yield (place among `units`, answer) as each is there: all of one kind, in one call of the engine.

    `rows` are those of the model's embedding, None where nobody says. Raises TokenOutsideVocabulary before anything runs,
    ScoresNotFinite for the first answer that is NaN or infinite, and what `failure_of` makes of what the engine raises.
    """
    if not units:
        return
    check_vocabulary(engine, units, rows)
    requests = [unit.request for unit in units]
    left = set(range(len(units)))
    try:
        scores = isinstance(requests[0], ScoreRequest)
        results = engine.score(requests) if scores else engine.generate(requests)  # pyright: ignore[reportArgumentType]
        for result in results:
            left.remove(result.index)
            if not _is_finite(result):
                raise _not_finite(engine, units[result.index], len(units) - len(left), len(units))
            yield result.index, result
        if left:
            raise RuntimeError(f"{len(left):,} of {len(units):,} requests have no answer")
    except MinizooError:
        raise
    except Exception as error:  # whatever an engine raises
        failure = failure_of(error)
        raise failure.cause(
            f"The {engine.name} backend broke on {engine.device} ({failure.message}).",
            "Try eager=True, another backend or dtype; with lm-eval's request cache (`--use_cache`) what was answered is kept.",
        ) from error


def check_vocabulary(engine: Backend, units: Sequence[Unit], rows: int | None) -> None:
    """Raise TokenOutsideVocabulary where a request has a token id below 0, or beyond the embedding's `rows`."""
    if rows is None:
        return
    for unit in units:
        wrong = next((token for part in _parts(unit) for token in part if not 0 <= token < rows), None)
        if wrong is not None:
            text = engine.tokenizer.decode([wrong], skip_special_tokens=False) if wrong >= 0 else ""
            raise TokenOutsideVocabulary(
                f"The tokenizer makes token ids that the model's embedding of {rows:,} rows (config.json: vocab_size) does not "
                f"have: first in task {unit.task}, document {unit.key.doc_id}, token {wrong:,} ({text!r}). Nothing was run.",
                "Either the tokenizer is another model's, or tokens were added to it and the embedding was not resized "
                "(`model.resize_token_embeddings(len(tokenizer))`, then train).",
            )


def _parts(unit: Unit) -> Iterator[Tokens]:
    if isinstance(unit.request, ScoreRequest):
        yield unit.request.context
        yield unit.request.continuation
    else:
        yield unit.request.prompt


def _is_finite(result: Score | Generation) -> bool:
    if isinstance(result, Score):
        return math.isfinite(result.logprob)
    return bool(getattr(result, "finite", True))


def _not_finite(engine: Backend, unit: Unit, answered: int, whole: int) -> ScoresNotFinite:
    kind = "log-probabilities" if isinstance(unit.request, ScoreRequest) else "logits"
    return ScoresNotFinite(
        f"The model's {kind} are NaN or infinite, first in task {unit.task}, document {unit.key.doc_id} (answer {answered:,} "
        f"of {whole:,}): there is no score.",
        REMEDIES.get(engine.dtype, REMEDY),
    )
