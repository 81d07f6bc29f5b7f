"""Trials, the rows that they leave (one a request, with its times as the clock gave them), and the prompts that they run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from backends.contract import Step, StreamRequest

Phase = Literal["warmup", "trial"]


@dataclass(frozen=True)
class Trial:
    """One batch (closed loop) or one run of arrivals (open loop), after it has run."""

    number: int
    phase: Phase
    requests: Sequence[StreamRequest]
    submitted: Mapping[int, float]
    """When each request was due, by its index."""
    started: Mapping[int, float]
    """When the backend took it."""
    steps: Sequence[Step]
    clustered: bool = True
    """Whether the requests ran as one batch."""

    @property
    def seconds(self) -> float:
        """From the first submission to the last token."""
        return self.steps[-1].time - min(self.submitted.values()) if self.steps else 0.0


def rows(trials: Iterable[Trial], windows: Mapping[int, tuple[int, float]]) -> list[dict[str, Any]]:
    """The trials as rows of TRIAL_COLUMNS. `windows`: trial → its energy window and that window's joules."""
    found: list[dict[str, Any]] = []
    for trial in trials:
        times: dict[int, list[float]] = {request.index: [] for request in trial.requests}
        for step in trial.steps:
            for index, _ in step.tokens:
                times[index].append(step.time)
        window, joules = windows.get(trial.number, (None, None)) if trial.phase == "trial" else (None, None)
        for number, request in enumerate(trial.requests):
            found.append(
                {
                    "trial": trial.number,
                    "phase": trial.phase,
                    "cluster": 0 if trial.clustered else number,
                    "request": number,
                    "input_tokens": len(request.prompt),
                    "wanted_tokens": request.new_tokens,
                    "submit_s": trial.submitted[request.index],
                    "start_s": trial.started.get(request.index),
                    "token_s": times[request.index],
                    "energy_window": window,
                    "window_j": joules,
                }
            )
    return found


class Prompts:
    """Random token ids, the same for the same seed, trial and request; the tokens that begin or end a text are avoided."""

    def __init__(self, vocabulary: int, seed: int, avoid: Iterable[int | None] = ()) -> None:
        special = {token for token in avoid if token is not None}
        self._allowed = np.array([t for t in range(vocabulary) if t not in special], dtype=np.int64)
        self._seed = seed

    def requests(self, trial: int, count: int, input_tokens: int, output_tokens: int) -> list[StreamRequest]:
        """`count` requests of that shape, numbered from 0."""
        generator = np.random.default_rng([self._seed, trial])
        drawn = self._allowed[generator.integers(0, len(self._allowed), (count, input_tokens))]
        return [StreamRequest(i, tuple(ids), output_tokens) for i, ids in enumerate(drawn.tolist())]
