"""Two models over the same tokens: both in memory, their distributions compared position by position, nothing kept on disk."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import NamedTuple

from backends.contract import DistributionBackend, Options, compute_dtype_of
from backends.opening import open_backend
from harness.accuracy.prepare import EvalRequest, Evaluation, prepare
from harness.divergence.figures import Diverged, Divergence, figures
from harness.divergence.measured import Measured, NotProbabilitiesError, Source, measure
from harness.divergence.positions import Documents, Positions, documents_of, positions_of
from harness.divergence.same_questions import Vocabulary, asked_of_another, same_questions
from harness.divergence.watcher import DivergenceWatcher, Silent
from harness.lmeval.finite import remedy
from harness.records.outcome import failure_of
from harness.records.record import precision
from harness.suites.suite import TaskSelection
from zoo.checkpoint.locate import Outline, locate
from zoo.checkpoint.model_ref import resolve
from zoo.errors import DeviceMemory, NoDistributions, ScoresNotFinite


def diverge(a: EvalRequest, b: EvalRequest, watcher: DivergenceWatcher | None = None) -> Divergence:
    """How far B's distributions are from A's, the reference's, over every position of the suite's requests.

    Both are asked what an evaluation of `a` asks; of several few-shot draws the first. Raises what `prepare`, `locate` and
    `open_backend` raise, OtherTokens for models that are not asked the same tokens, NoDistributions for a backend that does not
    tell them, ScoresNotFinite, and DeviceMemory, DeviceLost or BackendBroke where an engine breaks.
    """
    watcher = watcher or Silent()
    resolve(b.model, b.name, b.parent)  # a name that there is not is told before prompts are made
    watcher.begins("preparing")
    first = prepare(_once(a), watcher.noted)
    b = _as_asked(b, a, first)
    second = asked_of_another(first, b) or prepare(b, watcher.noted)
    for note in dict.fromkeys((*first.notes, *second.notes)):
        watcher.noted(note)
    vocabulary = same_questions(first, second)
    listed, documents = documents_of(first.plans)
    positions = positions_of(listed)
    told = [f"{cut:,} requests of {plan.name} are cut on the left." for plan in first.plans if (cut := plan.truncated)]
    suite, opening = first.suite.name, [_Opening(e.outline, e.backend, e.request.options) for e in (first, second)]
    del listed, first, second  # requests are many, and positions have all of them
    with ExitStack() as opened:
        backends = [_opened(each, opened, watcher) for each in opening]
        watcher.begins("comparing", "positions")
        measured = _measured(positions, documents, backends, vocabulary, watcher)
        models = [_diverged(*each) for each in zip(vocabulary.names, backends, strict=True)]
    return figures(positions, documents, measured, models, suite, (*told, *_told_of(measured)))


def source_of(backend: DistributionBackend) -> Source:
    """A backend's distributions at each position, computed as they are asked for."""
    return lambda positions: backend.distributions(positions.sequences, positions.asked)


class _Opening(NamedTuple):
    """What a backend is opened with."""

    outline: Outline
    backend: str
    options: Options


def _once(request: EvalRequest) -> EvalRequest:
    return replace(request, rules=replace(request.rules, fewshot_seeds=1))


def _as_asked(b: EvalRequest, a: EvalRequest, first: Evaluation) -> EvalRequest:
    """B, asked what A is asked: where A names no suite, the default one of A."""
    selection = TaskSelection((first.suite.name,)) if a.selection == TaskSelection() else a.selection
    return replace(b, selection=selection, rules=_once(a).rules, data=a.data, seed=a.seed)


def _opened(wanted: _Opening, opened: ExitStack, watcher: DivergenceWatcher) -> DistributionBackend:
    watcher.begins(f"loading {wanted.outline.name}")
    backend = open_backend(locate(wanted.outline, watcher.fetched), wanted.backend, wanted.options)
    opened.callback(backend.close)
    if not isinstance(backend, DistributionBackend):
        raise NoDistributions(
            f"The backend {backend.name} does not tell the whole distribution behind a token.",
            "Take --backend hf, or give it the method `distributions` (backends/contract.py).",
        )
    return backend


def _measured(
    positions: Positions,
    documents: Documents,
    backends: Sequence[DistributionBackend],
    vocabulary: Vocabulary,
    watcher: DivergenceWatcher,
) -> Measured:
    a, b = map(source_of, backends)
    try:
        return measure(positions, a, b, vocabulary.shared, lambda done: watcher.advanced(done, len(positions)))
    except NotProbabilitiesError as error:
        place = documents.cluster[int(positions.document[error.position])]
        raise ScoresNotFinite(
            f"The distributions of {' and '.join(vocabulary.names)} have no finite divergence, first in {place}: one is NaN, "
            "or rules out a token that the other does not.",
            remedy(backends[1].dtype),
        ) from error
    except Exception as error:  # whatever an engine raises
        failure = failure_of(error)
        raise failure.cause(
            f"A backend broke while {' and '.join(vocabulary.names)} were compared ({failure.message}).",
            "Take a larger device or a smaller --dtype: both models are in memory."
            if failure.cause is DeviceMemory
            else "Report it with the traceback that `minizoo --debug compare …` shows.",
        ) from error


def _diverged(name: str, backend: DistributionBackend) -> Diverged:
    scoring = backend.versions.get("scoring", "")
    how = precision(backend.dtype, compute_dtype_of(backend))
    return Diverged(name, backend.name, scoring, backend.device, how, math.nan)


def _told_of(measured: Measured) -> Iterator[str]:
    rows = measured.rows
    if rows[0] != rows[1]:
        yield (
            f"The heads have {rows[0]:,} and {rows[1]:,} rows; compared are the first {min(rows):,}, normalised again. At most "
            f"{measured.cut:.2g} of a position's probability stood on the others."
        )
