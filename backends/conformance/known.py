"""The known answers: rows of log p by transformers' own forward pass in fp32, one sequence at a time and without a cache."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from backends.conformance.outcome import Skip
from backends.contract import (
    Backend,
    DistributionBackend,
    GenerateRequest,
    Generation,
    ScoreRequest,
    Tokens,
)
from zoo.errors import one_line

OpenReference = Callable[[], Backend]


@dataclass(frozen=True, slots=True)
class Row:
    """What was predicted at one position."""

    logp: float
    """Of the token that stands there."""
    best: int
    best_logp: float
    second_logp: float

    @property
    def behind(self) -> float:
        """How far the token that stands there is behind the most probable one; 0 where it is that one."""
        return self.best_logp - self.logp

    @property
    def margin(self) -> float:
        """How much more probable the most probable token is than the next."""
        return self.best_logp - self.second_logp


class Known:
    """Answers of the reference, each computed once; it is opened when the first is asked."""

    def __init__(self, opener: OpenReference | None) -> None:
        self._opener = opener
        self._backend: Backend | None = None
        self._refused = "" if opener else "there is no fp32 transformers model of this checkpoint to compare with"
        self._rows: dict[Tokens, list[Row]] = {}

    def rows(self, tokens: Tokens) -> list[Row]:
        """Row i is of `tokens[i + 1]`, given those before it. Skip where there is no reference."""
        if tokens not in self._rows:
            self._rows[tokens] = self._computed(tokens)
        return self._rows[tokens]

    def series(self, request: ScoreRequest) -> list[float]:
        """log p of each token of the continuation."""
        return [row.logp for row in self.asked(request)]

    def asked(self, request: ScoreRequest) -> list[Row]:
        """The rows of the continuation."""
        return self.rows(request.context + request.continuation)[len(request.context) - 1 :]

    def generated(self, requests: list[GenerateRequest]) -> list[Generation]:
        """What the reference generates, in the order of the requests."""
        return sorted(self.backend().generate(requests), key=lambda one: one.index)

    def backend(self) -> DistributionBackend:
        """The reference, opened. Raises Skip where it cannot be had."""
        if self._refused:
            raise Skip(self._refused)
        if self._backend is None:
            assert self._opener is not None
            try:
                self._backend = self._opener()
            except Exception as error:  # whatever a loader raises: it says nothing about the backend under test
                self._refused = f"the fp32 transformers model cannot be opened ({one_line(error)})"
                raise Skip(self._refused) from None
        if not isinstance(self._backend, DistributionBackend):
            raise Skip(f"the reference '{self._backend.name}' does not tell the probability of every token")
        return self._backend

    def close(self) -> None:
        """Give back the reference's memory."""
        if self._backend is not None:
            self._backend.close()
            self._backend = None

    def _computed(self, tokens: Tokens) -> list[Row]:
        try:
            rows = self._read(tokens)
        except Skip:
            raise
        except Exception as error:  # the reference's fault is not the backend's
            raise Skip(f"the reference cannot compute a sequence of {len(tokens)} tokens ({one_line(error)})") from None
        if not all(math.isfinite(row.best_logp) for row in rows):
            raise Skip("the reference's own log-probabilities are not finite")
        return rows

    def _read(self, tokens: Tokens) -> list[Row]:
        import torch

        rows: list[Row] = []
        for block in self.backend().distributions([tokens[:-1]], [len(tokens) - 1]):
            logp: Any = torch.as_tensor(block).float()
            stands = torch.tensor(tokens[len(rows) + 1 : len(rows) + 1 + len(logp)], device=logp.device)
            two = logp.topk(2, -1)
            columns = (logp.gather(1, stands[:, None])[:, 0], two.indices[:, 0], two.values[:, 0], two.values[:, 1])
            rows += [Row(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]
        return rows
