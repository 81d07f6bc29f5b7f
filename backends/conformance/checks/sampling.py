"""The check of seeds: a drawn text depends on its own seed, and on nothing else."""

from __future__ import annotations

from dataclasses import replace

from backends.conformance.outcome import Fail, Passed, passed
from backends.conformance.subject import Subject
from backends.contract import GenerateRequest

NEW = 12
TEMPERATURE = 2.0
"""Hot enough that two seeds seldom draw alike."""


def seeds(subject: Subject) -> Passed:
    """The same seed draws the same, alone and in a batch; another seed draws otherwise."""
    prompts = subject.sequences.prompts(4, NEW)
    requests = [GenerateRequest(p, NEW, temperature=TEMPERATURE, top_p=1.0, seed=70 + i) for i, p in enumerate(prompts)]
    together = subject.generations(requests)
    if not all(made.finite for made in together):
        raise Fail("tokens were drawn from logits that are not finite")
    again = subject.generations(requests)
    differing = [a.index for a, b in zip(together, again, strict=True) if a.tokens != b.tokens]
    _judge(subject, differing, len(requests), "the same call draws other tokens")
    alone = [subject.generations([request])[0] for request in requests]
    differing = [i for i, one in enumerate(alone) if one.tokens != together[i].tokens]
    _judge(subject, differing, len(requests), "a request draws other tokens in a batch than alone")
    others = subject.generations([replace(request, seed=request.seed + 1000) for request in requests])
    if all(a.tokens == b.tokens for a, b in zip(together, others, strict=True)):
        raise Fail(f"other seeds draw the same tokens for {len(requests)} prompts: the seed is not heeded")
    greedy = subject.generations([GenerateRequest(prompt, NEW) for prompt in prompts])
    if all(a.tokens == b.tokens for a, b in zip(together, greedy, strict=True)):
        raise Fail(f"at temperature {TEMPERATURE} every token is the most probable one: it is not heeded")
    return passed(f"{len(requests)} prompts, alone, together and again", prompts=len(requests))


def _judge(subject: Subject, differing: list[int], count: int, words: str) -> None:
    """Fail where more differ than rounding explains: in fp32 none, else a share of the whole draws."""
    if len(differing) > count * (1 - subject.allowed_new.draws):
        raise Fail(f"{words} with the same seed ({len(differing)} of {count} prompts)", differing=len(differing))
