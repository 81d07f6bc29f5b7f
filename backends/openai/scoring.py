"""Scores out of the rows of a prompt: the whole sequence is sent, and the continuation's rows are added up."""

from __future__ import annotations

import math
from collections.abc import Sequence

from backends.contract import Score, ScoreRequest
from backends.openai.opening import Found
from backends.openai.rows import NoRows, Row
from backends.openai.served import Server
from zoo.errors import NoPromptLogprobs, ServedTooLong


class Scoring:
    """How one server scores; `length` is the model's own context, and the server's may be another."""

    def __init__(self, found: Found, vocabulary: int, length: int) -> None:
        self._form, self._salted = found.form or "", found.salted
        self._vocabulary, self._length = vocabulary, length
        self._room = found.served.length or length

    def check(self, requests: Sequence[ScoreRequest]) -> None:
        """ValueError for an empty part or an unknown token, ServedTooLong for what leaves no position free."""
        for request in requests:
            if not request.context or not request.continuation:
                raise ValueError("a score request needs at least one token of context and one of continuation")
            tokens = request.context + request.continuation
            check_tokens(tokens, self._vocabulary)
            if len(tokens) > self._length + 1:
                raise ServedTooLong(
                    f"A request of {len(tokens):,} tokens does not fit into a context of {self._length:,}."
                )
            if len(tokens) >= self._room:
                raise ServedTooLong(
                    f"A request of {len(tokens):,} tokens cannot be scored by a server with a context of {self._room:,}: it "
                    "reads them all and writes one more.",
                    f"Serve the model with a context of {len(tokens) + 1:,} (`vllm serve --max-model-len`, and where that is "
                    "more than config.json says VLLM_ALLOW_LONG_MAX_MODEL_LEN=1), or score by `--backend hf`.",
                )

    def answer(self, server: Server, requests: Sequence[ScoreRequest], index: int) -> Score:
        """The score of one request by a server."""
        request = requests[index]
        rows = self._rows(server, request)
        logprob = (
            math.fsum(row.logprob for row in rows) if all(math.isfinite(r.logprob) for r in rows) else _worst(rows)
        )
        each = tuple(row.logprob for row in rows) if request.per_token else None
        return Score(index, logprob, all(row.best for row in rows), each)

    def _rows(self, server: Server, request: ScoreRequest) -> list[Row]:
        """Rows of the continuation that the server computed itself: those before its cached tokens mean nothing."""
        tokens, start = request.context + request.continuation, len(request.context)
        try:
            rows, cached = server.rows(tokens, self._form, self._salted)
            if cached >= start:
                rows, cached = server.rows(tokens, self._form, salted=True)
        except NoRows as reason:
            raise server.broken(f"has no rows of its prompt: {reason}") from None
        if cached >= start:
            raise NoPromptLogprobs(
                f"{server.client.endpoint.shown} took {cached:,} of {len(tokens):,} tokens from its cache, and "
                "log-probabilities of those are not to be trusted.",
                "Serve the model without a prefix cache (`vllm serve --no-enable-prefix-caching`).",
            )
        found = [row for row in rows[start:] if row is not None]
        if len(found) != len(request.continuation):
            raise server.broken("lacks rows of the continuation")
        return found


def check_tokens(tokens: Sequence[int], vocabulary: int) -> None:
    """ValueError for a token id that the model does not have: one kills some servers."""
    if min(tokens) < 0 or max(tokens) >= vocabulary:
        raise ValueError(
            f"token ids {min(tokens)} to {max(tokens)} are not all among the {vocabulary} of the vocabulary"
        )


def _worst(rows: Sequence[Row]) -> float:
    """The sum of rows that are not all finite: NaN where one is no number, else -inf."""
    return math.nan if any(math.isnan(row.logprob) for row in rows) else -math.inf
