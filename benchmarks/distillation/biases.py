"""The gradient from samples of the teacher against that of full forward KL: bias, variance, and those of the top k alone."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

import torch

from benchmarks.distillation.pairs import nano_pair, nano_rows
from zoo.distill.batch import ExactTargets, Head, counted
from zoo.distill.forward import hidden_states
from zoo.distill.heads import head_of
from zoo.distill.teacher.bias import gradient_error_of
from zoo.distill.teacher.cache.manifest import Sampled
from zoo.distill.teacher.live import LiveTeacher

SPREAD = 6.0
"""Standard deviation of random logits over 131,072 tokens at a width of 64: an entropy of 2.6 nats, like that of text."""
NOISE = 1.0
"""Of a random student's logits beside its teacher's."""


class BiasJob:
    """Positions of a student and what a teacher says of them. A turn is one form of sample.

    `nano`: the nano teacher and its student cut in width, on text that neither has seen. `random`: logits as sharp as those of
    text over a large vocabulary; the student's are the teacher's with noise.
    """

    def __init__(self, told: dict[str, Any]) -> None:
        torch.manual_seed(0)
        self.hidden, self.head, self.exact = _nano(told) if told["pair"] == "nano" else _random(told)

    def turn(self, told: dict[str, Any]) -> dict[str, Any]:
        form = Sampled(k=told["k"], draw=told["draw"])
        found = asdict(gradient_error_of(self.hidden, self.head, self.exact, form, told["repeats"]))
        found.pop("form")
        return {**found, "k": form.k, "draw": form.draw, "entropy": self._entropy()}

    def _entropy(self) -> float:
        """Of the teacher, nats a token."""
        logits = torch.nn.functional.linear(self.exact.hidden, self.exact.head.weight)
        log_p = torch.log_softmax(logits, -1)
        return float(-(log_p.exp() * log_p).sum(-1).mean())


def _nano(told: dict[str, Any]) -> tuple[torch.Tensor, Head, ExactTargets]:
    student, teacher = nano_pair()
    batch = nano_rows(told["rows"], told["length"])
    with torch.no_grad():
        hidden, _ = hidden_states(student, batch)
    return hidden[counted(batch)], head_of(student), LiveTeacher(teacher, digest="nano").targets(batch)


def _random(told: dict[str, Any]) -> tuple[torch.Tensor, Head, ExactTargets]:
    width, positions = told["width"], told["positions"]
    said = torch.randn(positions, width)
    weight = torch.randn(told["vocabulary"], width) * (SPREAD / math.sqrt(width))
    hidden = said + torch.randn(positions, width) * (NOISE / SPREAD)
    return hidden, Head(weight), ExactTargets(said, Head(weight))
