"""A call of lm-eval's requests: those that are one, and their answers in one schedule. What is no number is an error."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from backends.contract import Backend, Generation, Score, ScoreRequest
from harness.lmeval.encoding import Asked, Unit
from harness.lmeval.finite import is_finite, remedy
from harness.lmeval.loading.generation import samples
from harness.lmeval.vocabulary import check_vocabulary
from harness.records.outcome import failure_of
from zoo.errors import MinizooError, ScoresNotFinite

UNNAMED = "unnamed"
"""The task of a request that names none."""
HINT = (
    "Try eager=True, another backend or dtype; with lm-eval's request cache (`--use_cache`) what was answered is kept."
)
"""What to do where the engine of a call of lm-eval's broke."""


@dataclass
class Group:
    """Requests of a call that have one answer between them."""

    places: list[int]
    units: list[Unit]
    by_unit: dict[int, Any]

    @property
    def results(self) -> list[Any]:
        """The answers in the order of the units."""
        return [self.by_unit[at] for at in range(len(self.units))]


def task_of(instance: Any) -> str:
    """The task that a request is of."""
    return instance.task_name or UNNAMED


def asked_of(requests: Sequence[Any]) -> list[Asked]:
    """Where each request stands. lm-eval hands one over as often as it is to be repeated: a part each."""
    seen: Counter[tuple[str, int, int]] = Counter()
    asked: list[Asked] = []
    for place, each in enumerate(requests):
        key = (task_of(each), place if each.doc_id is None else each.doc_id, each.idx)
        asked.append(Asked(*key, seen[key], each))
        seen[key] += 1
    return asked


def grouped(requests: Sequence[Any], key: Callable[[Any], Any]) -> list[Group]:
    """Requests of an equal `key` together; one whose key is None alone."""
    groups: dict[Any, list[int]] = {}
    for place, each in enumerate(requests):
        own = key(each)
        groups.setdefault(place if own is None else (own,), []).append(place)
    return [Group(places, [], {}) for places in groups.values()]


def generation_key(instance: Any) -> tuple[str, str] | None:
    """Equal for generations that are the same: greedy, of one prompt with the same settings; None for one that is drawn."""
    context, gen_kwargs = instance.args
    if samples(gen_kwargs):
        return None
    return context, json.dumps(gen_kwargs, sort_keys=True, default=repr)


def answers(
    engine: Backend, units: Sequence[Unit], rows: int | None, hint: str = HINT
) -> Iterator[tuple[int, Score | Generation]]:
    """Yield (place among `units`, answer) as each is there: all of one kind, in one call of the engine.

    `rows` are those of the model's embedding, None where nobody says. Raises TokenOutsideVocabulary before anything runs,
    ScoresNotFinite for the first answer that is NaN or infinite, and what `failure_of` makes of what the engine raises, with
    `hint` for what to do then.
    """
    if not units:
        return
    check_vocabulary(units, rows, engine.tokenizer)
    requests = [unit.request for unit in units]
    left = set(range(len(units)))
    try:
        scores = isinstance(requests[0], ScoreRequest)
        results = engine.score(requests) if scores else engine.generate(requests)  # pyright: ignore[reportArgumentType]
        for result in results:
            left.remove(result.index)
            if not is_finite(result):
                raise _not_finite(engine, units[result.index], len(units) - len(left), len(units))
            yield result.index, result
        if left:
            raise RuntimeError(f"{len(left):,} of {len(units):,} requests have no answer")
    except MinizooError:
        raise
    except Exception as error:  # whatever an engine raises
        failure = failure_of(error)
        raise failure.cause(f"The {engine.name} backend broke on {engine.device} ({failure.message}).", hint) from error


def _not_finite(engine: Backend, unit: Unit, answered: int, whole: int) -> ScoresNotFinite:
    kind = "log-probabilities" if isinstance(unit.request, ScoreRequest) else "logits"
    return ScoresNotFinite(
        f"The model's {kind} are NaN or infinite, first in task {unit.task}, document {unit.key.doc_id} (answer {answered:,} "
        f"of {whole:,}): there is no score.",
        remedy(engine.dtype),
    )
