"""Checks of greedy generation: the tokens, where they end, and what ends them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from backends.conformance.outcome import Fail, Passed, Skip, passed
from backends.conformance.sequences import end_ids
from backends.conformance.subject import Subject
from backends.contract import GenerateRequest, Generation, Tokens

NEW = {True: 12, False: 32}
"""New tokens of a generation, in a short run and in a full one."""
UNTIL_END = {True: 24, False: 96}
"""The same where one is wanted that ends by itself."""


def generation(subject: Subject) -> Passed:
    """The tokens are those of transformers' `generate`, but for ties by the reference's own margin."""
    new = _room(subject, NEW)
    requests = [GenerateRequest(prompt, new) for prompt in _prompts(subject, new)]
    found, known = subject.generations(requests), subject.known.generated(requests)
    ends = end_ids(subject.checkpoint.config, subject.backend)
    told: list[str] = []
    for request, ours, theirs in zip(requests, found, known, strict=True):
        if not ours.finite:
            raise Fail("new tokens were chosen from logits that are not finite")
        difference = _first_difference(ours, theirs)
        if difference is None:
            continue
        margin = _margin(subject, request.prompt + theirs.tokens[:difference], theirs, ours, difference, ends)
        if margin > subject.allowed_new.tie:
            raise Fail(
                f"new token {difference} of prompt {ours.index} is not transformers', at a margin of {margin:.3g} nats",
                prompts=len(requests),
                margin=margin,
            )
        told.append(f"{margin:.2g}")
    said = f"{len(requests)} prompts, up to {new} new tokens"
    if told:
        said += f"; near ties at margins of {', '.join(told)} nats"
    return passed(said, prompts=len(requests), near_ties=len(told))


def many_generations(subject: Subject) -> Passed:
    """Each prompt alone, all together and in another order, with limits of their own."""
    prompts = _prompts(subject, 16)
    requests = [GenerateRequest(prompt, 4 + 3 * i) for i, prompt in enumerate(prompts)]
    together = subject.generations(requests)
    backwards = subject.generations(requests[::-1])[::-1]
    alone = [subject.generations([request])[0] for request in requests]
    for request, one, *others in zip(requests, together, backwards, alone, strict=True):
        if len(one.tokens) > request.max_new_tokens:
            raise Fail(f"{len(one.tokens)} new tokens where {request.max_new_tokens} were allowed")
        if one.finish == "length" and len(one.tokens) != request.max_new_tokens:
            raise Fail(f"ended by length after {len(one.tokens)} of {request.max_new_tokens} tokens")
        for other in others:
            _same_or_tied(subject, request, other, one)
    return passed(f"{len(requests)} prompts in three compositions", prompts=len(requests))


def stop_strings(subject: Subject) -> Passed:
    """A stop string may end a generation once it is there in full: no token of it is cut, and none changes before it."""
    tried = 0
    new = NEW[True]
    for prompt in _prompts(subject, new):
        (free,) = subject.generations([GenerateRequest(prompt, new)])
        text = subject.backend.tokenizer.decode(free.tokens, skip_special_tokens=False)
        stop = text[len(text) // 2 :][:3]
        if not stop.strip() or "�" in stop:
            continue
        tried += 1
        absent = "\x00no such text\x00"
        stopped, kept = subject.generations([GenerateRequest(prompt, new, stop=(s,)) for s in (stop, absent)])
        _same_or_tied(subject, GenerateRequest(prompt, new), kept, free)
        begins = replace(free, tokens=free.tokens[: len(stopped.tokens)], finish=stopped.finish)
        _same_or_tied(subject, GenerateRequest(prompt, new), stopped, begins)
        if stopped.tokens != begins.tokens:
            continue
        if stop not in subject.backend.tokenizer.decode(stopped.tokens, skip_special_tokens=False):
            raise Fail(f"the tokens end before the stop string {stop!r} is complete: it was cut off")
        if len(stopped.tokens) < len(free.tokens) and stopped.finish != "stop":
            raise Fail("a generation that a stop string ended says that its length ended it")
    if not tried:
        raise Skip("no new text has three characters that can be a stop string")
    return passed(f"{tried} stop strings", stops=tried)


def end_of_text(subject: Subject) -> Passed:
    """The token that ends a text ends the generation, and is not among the new tokens unless it has a text of its own."""
    ends = end_ids(subject.checkpoint.config, subject.backend)
    if not ends:
        raise Skip("the model has no token that ends a text")
    new = _room(subject, UNTIL_END)
    requests = [GenerateRequest(prompt, new) for prompt in _prompts(subject, new)]
    over = 0
    for request, made in zip(requests, subject.generations(requests), strict=True):
        silent = [
            i for i in made.tokens if i in ends and not subject.backend.tokenizer.decode([i], skip_special_tokens=True)
        ]
        if silent:
            raise Fail(f"token {silent[0]}, which ends a text, is among the new tokens")
        if any(i in ends for i in made.tokens[:-1]):
            raise Fail("a generation goes on behind the token that ends a text")
        if made.finish == "stop":
            over += 1
        elif len(made.tokens) != request.max_new_tokens:
            raise Fail(f"ended by length after {len(made.tokens)} of {request.max_new_tokens} tokens")
    if not over:
        raise Skip(f"no prompt ends within {new} new tokens")
    return passed(f"{over} of {len(requests)} generations end by themselves", ended=over)


def _room(subject: Subject, table: dict[bool, int]) -> int:
    """New tokens that leave half of the context to the prompt."""
    return min(table[subject.short], (subject.sequences.longest - 1) // 2)


def _prompts(subject: Subject, new: int) -> list[Tokens]:
    return subject.sequences.prompts(3 if subject.short else 6, new)


def _first_difference(ours: Generation, theirs: Generation) -> int | None:
    """Where two generations part; an end counts as a token."""
    for place, (a, b) in enumerate(zip(ours.tokens, theirs.tokens, strict=False)):
        if a != b:
            return place
    if len(ours.tokens) != len(theirs.tokens) or ours.finish != theirs.finish:
        return min(len(ours.tokens), len(theirs.tokens))
    return None


def _margin(
    subject: Subject, before: Tokens, theirs: Generation, ours: Generation, place: int, ends: set[int]
) -> float:
    """How much more probable the reference has its own next token than the other's, an end standing for the likeliest end."""
    right = _log_probability(subject, before, theirs.tokens[place : place + 1], ends)
    return right - _log_probability(subject, before, ours.tokens[place : place + 1], ends)


def _log_probability(subject: Subject, before: Tokens, token: Sequence[int], ends: set[int]) -> float:
    candidates = token or sorted(ends)
    if not candidates or len(before) >= subject.sequences.longest:
        return float("inf")
    return max(subject.known.rows((*before, candidate))[-1].logp for candidate in candidates)


def _same_or_tied(subject: Subject, request: GenerateRequest, other: Generation, one: Generation) -> None:
    """Fail where two generations of one request part at a margin that rounding does not explain."""
    place = _first_difference(other, one)
    if place is None:
        return
    ends = end_ids(subject.checkpoint.config, subject.backend)
    margin = abs(_margin(subject, request.prompt + one.tokens[:place], one, other, place, ends))
    if not margin <= subject.allowed_new.tie:
        raise Fail(
            f"new token {place} depends on what is asked beside it, at a margin of {margin:.3g} nats", margin=margin
        )
