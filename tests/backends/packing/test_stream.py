"""Streaming: the tokens of greedy decoding, at a fixed length, with the times at which they were there."""

import itertools

import pytest
import torch
from support.tiny_models import tiny

from backends.contract import OutOfMemory, Step, StreamRequest
from backends.packing.packed_model import PackedModel
from backends.packing.stream import streamed


class Given:
    """A feed of arrivals: each entry is what has arrived by the next call."""

    def __init__(self, *arrivals):
        self.waiting = list(arrivals)

    def take(self, room, idle):
        if not self.waiting:
            return None
        assert len(self.waiting[0]) <= room
        return self.waiting.pop(0)


def requests(lengths, news, start=0):
    return [
        StreamRequest(start + i, tuple((7 * i + 3 * j * j + 5) % 290 for j in range(length)), new)
        for i, (length, new) in enumerate(zip(lengths, news, strict=True))
    ]


def greedy(model, request):
    """The slow definition: the whole sequence again for every token."""
    tokens = list(request.prompt)
    for _ in range(request.new_tokens):
        with torch.no_grad():
            tokens.append(int(model(torch.tensor([tokens]), use_cache=False).logits[0, -1].argmax()))
    return tokens[len(request.prompt) :]


def run(model, *arrivals, room=8, length=64, budget=40):
    ticks = itertools.count()
    steps = list(streamed(PackedModel(model), Given(*arrivals), room, length, lambda: float(next(ticks)), budget))
    found = {}
    for step in steps:
        for index, token in step.tokens:
            found.setdefault(index, []).append((step.time, token))
    return steps, found


@pytest.mark.parametrize("family", ["llama", "nemotron", "mistral-sliding-window"])
def test_streamed_tokens_are_those_of_greedy_decoding(family):
    model = tiny(family)
    first, late = requests([5, 17, 30], [9, 4, 12]), requests([11], [6], start=3)
    _, found = run(model, first, [], late)
    for request in first + late:
        assert [token for _, token in found[request.index]] == greedy(model, request)


def test_output_length_is_fixed_whatever_end_of_text_says():
    model = tiny("llama")
    ids = requests([6], [20])
    model.generation_config.eos_token_id = greedy(model, ids[0])[3]
    _, found = run(model, ids)
    assert len(found[0]) == 20


def test_tokens_of_one_step_share_a_time_and_times_rise():
    steps, found = run(tiny("llama"), requests([4, 4], [5, 5]))
    assert all(isinstance(step, Step) for step in steps)
    assert [t for t, _ in found[0]] == [t for t, _ in found[1]] == [0.0, 1.0, 2.0, 3.0, 4.0]


def test_memory_that_runs_out_is_told_and_given_back(monkeypatch):
    def no_room(*_):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")

    monkeypatch.setattr("backends.packing.slots.empty_cache", no_room)
    with pytest.raises(OutOfMemory, match="out of memory"):
        run(tiny("llama"), requests([4], [3]))
