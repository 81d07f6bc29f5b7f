"""The check of agreement with transformers in fp32: differences a token, their mean with its sign, flips of choices, KL."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from backends.conformance.outcome import Fail, Passed, passed
from backends.conformance.subject import Subject
from backends.contract import DistributionBackend, ScoreRequest, Tokens

CONFIDENCE = 0.95
QUESTIONS = {True: 6, False: 24}
"""Questions whose choice is compared, in a short run and in a full one."""


def agreement(subject: Subject) -> Passed:
    """Every token of whole sequences, and the choices of questions."""
    requests = [ScoreRequest(whole[:1], whole[1:], True) for whole in subject.sequences.whole(subject.short)]
    differences: list[list[float]] = []
    for request, score in zip(requests, subject.scores(requests), strict=True):
        found = score.token_logprobs or ()
        if len(found) != len(request.continuation):
            raise Fail(f"{len(request.continuation)} tokens were scored, and {len(found)} log-probabilities given")
        differences.append([a - b for a, b in zip(found, subject.known.series(request), strict=True)])
    figures = _figures(differences)
    flips, margins = _flips(subject)
    figures |= {
        "questions": QUESTIONS[subject.short],
        "flips": flips,
        "largest_margin_of_a_flip": max(margins, default=0.0),
    }
    if isinstance(subject.backend, DistributionBackend):
        figures["kl"] = _divergence(subject, subject.backend, requests[0].context + requests[0].continuation)
    _judge(subject, figures)
    return passed(
        f"{figures['tokens']} tokens: |Δ log p| at most {figures['largest']:.2g}, {figures['mean']:.2g} on average; "
        f"{flips} of {figures['questions']} choices flip",
        **figures,
    )


def _figures(differences: Sequence[Sequence[float]]) -> dict[str, Any]:
    """Largest and mean |Δ log p|, and ΔNLL a token (positive: worse than the reference) with its t interval over sequences."""
    from scipy import stats

    flat = [abs(d) if math.isfinite(d) else math.inf for sequence in differences for d in sequence]
    means = [-sum(sequence) / len(sequence) for sequence in differences]
    center = sum(means) / len(means)
    spread = math.sqrt(sum((mean - center) ** 2 for mean in means) / (len(means) - 1) / len(means))
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(means) - 1)) * spread
    return {
        "tokens": len(flat), "largest": max(flat), "mean": sum(flat) / len(flat),
        "nll": center, "nll_lower": center - half, "nll_upper": center + half,
    }  # fmt: skip


def _flips(subject: Subject) -> tuple[int, list[float]]:
    """Questions whose most probable ending is another than the reference's, and how far the reference has the two apart."""
    questions = subject.sequences.questions(QUESTIONS[subject.short])
    answers = subject.scores([request for question in questions for request in question])
    margins: list[float] = []
    for i, question in enumerate(questions):
        ours = [answer.logprob for answer in answers[i * len(question) : (i + 1) * len(question)]]
        theirs = [sum(subject.known.series(request)) for request in question]
        chosen, right = ours.index(max(ours)), theirs.index(max(theirs))
        if chosen != right:
            margin = theirs[right] - theirs[chosen]
            margins.append(margin)
            longest = max(len(question[chosen].continuation), len(question[right].continuation))
            if margin > 2 * subject.allowed.of_sum(longest):
                raise Fail(
                    f"the choice of question {i} flips at a margin of {margin:.3g} nats",
                    largest_margin_of_a_flip=margin,
                )
    return len(margins), margins


def _divergence(subject: Subject, backend: DistributionBackend, whole: Tokens) -> float:
    """Mean KL(reference ‖ backend) a position."""
    import torch

    whole = whole[: backend.capabilities.max_length]  # of the longest the last token is only predicted
    theirs = [
        torch.as_tensor(b).double().cpu() for b in subject.known.backend().distributions([whole], [len(whole) - 1])
    ]
    ours = [torch.as_tensor(b).double().cpu() for b in backend.distributions([whole], [len(whole) - 1])]
    p, q = torch.cat(theirs), torch.cat(ours)
    return float((p.exp() * (p - q)).sum(-1).mean())


def _judge(subject: Subject, figures: dict[str, Any]) -> None:
    allowed = subject.allowed
    if not figures["largest"] <= allowed.token:
        raise Fail(f"log p of a token differs by {figures['largest']:.3g}, {allowed.token:.3g} allowed", **figures)
    if not figures["mean"] <= allowed.mean:
        raise Fail(f"log p differs by {figures['mean']:.3g} a token, {allowed.mean:.3g} allowed", **figures)
    if figures["nll_lower"] > allowed.nll or figures["nll_upper"] < -allowed.nll:
        raise Fail(f"NLL lies {figures['nll']:.3g} nats a token to one side, {allowed.nll:.3g} allowed", **figures)
