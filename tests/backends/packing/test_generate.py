"""Continuous batching: each sequence is what the model makes of its prompt alone, whichever decode beside it."""

import random
import threading

import pytest
import torch
from support.tiny_models import FAMILIES, tiny

from backends.contract import GenerateRequest, OutOfMemory
from backends.packing.generate import SLOTS, continuous_generations
from backends.packing.packed_model import PackedModel
from backends.packing.slots import SlotCache

SHOTS = tuple(random.Random(5).randrange(3, 300) for _ in range(120))
PROMPTS = [(*SHOTS, 7, 8), SHOTS + (9,) * 30, (5, 6, 7), SHOTS[:50], SHOTS, (11,), (*SHOTS, 7, 8)]


class NoTokenizer:
    bos_id, eos_id, vocab_size = 1, None, 300

    def decode(self, tokens, skip_special_tokens=True):
        shown = [token for token in tokens if not (skip_special_tokens and token == 2)]
        return " ".join(map(str, shown)) + " " * bool(shown)


@pytest.fixture(scope="module", params=sorted(FAMILIES))
def model(request):
    return tiny(request.param)


def made(packed, requests, budget=64):
    return sorted(continuous_generations(packed, NoTokenizer(), requests, budget), key=lambda g: g.index)


@pytest.fixture
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.mark.parametrize(("slots", "threads"), [(1, 1), (3, 1), (32, 1), (3, 3)], indirect=["threads"])
def test_greedy_generations_equal_transformers_generate(model, slots, threads, monkeypatch):
    monkeypatch.setitem(SLOTS, "cpu", slots)
    requests = [GenerateRequest(p, 6 + 3 * i) for i, p in enumerate(PROMPTS)]
    for request, mine in zip(requests, made(PackedModel(model), requests), strict=True):
        whole = model.generate(
            torch.tensor([request.prompt]), max_new_tokens=request.max_new_tokens, do_sample=False, pad_token_id=0
        )
        alone = whole[0, len(request.prompt) :].tolist()
        assert list(mine.tokens) == (alone[: alone.index(2)] if 2 in alone else alone)
        assert mine.finish == ("stop" if 2 in alone else "length")


def test_samples_of_one_prompt_share_its_prefill_and_keep_their_own_seeds(monkeypatch):
    packed = PackedModel(tiny("llama"))
    computed = []
    whole = packed.row_hidden
    monkeypatch.setattr(packed, "row_hidden", lambda row, current: computed.append(len(row)) or whole(row, current))
    requests = [GenerateRequest(SHOTS, 8, temperature=1.0, seed=seed) for seed in range(20)]
    together = made(packed, requests)
    assert sum(computed) == len(SHOTS)
    assert len({g.tokens for g in together}) > 10
    assert made(packed, requests[7:8])[0].tokens == together[7].tokens


@pytest.mark.parametrize("threads", [3], indirect=True)
def test_prompts_are_prefilled_by_as_many_workers_as_there_are_cores(threads, monkeypatch):
    packed = PackedModel(tiny("llama"))
    names = set()
    whole = packed.row_hidden
    monkeypatch.setattr(packed, "row_hidden", lambda *of: names.add(threading.current_thread().name) or whole(*of))
    requests = [GenerateRequest((*range(i, i + 90),), 4) for i in range(3, 9)]
    first, again = made(packed, requests), made(packed, requests)
    assert len(names) > 1
    assert threading.main_thread().name not in names
    assert [g.tokens for g in first] == [g.tokens for g in again]


def test_a_finished_sequence_leaves_its_slot_to_the_next(monkeypatch):
    monkeypatch.setitem(SLOTS, "cpu", 2)
    steps = []
    decode = SlotCache.decode
    monkeypatch.setattr(SlotCache, "decode", lambda self, new, at: steps.append(len(new)) or decode(self, new, at))
    lengths = [40, 2, 2, 2, 2, 2]
    made(PackedModel(tiny("llama")), [GenerateRequest((5, 6, i + 10), n) for i, n in enumerate(lengths)])
    assert len(steps) <= 40  # the long one alone sets the number of steps
    assert sum(steps) == sum(n - 1 for n in lengths)


def test_a_stop_string_ends_one_sequence_and_not_its_neighbour():
    packed = PackedModel(tiny("llama"))
    (free,) = made(packed, [GenerateRequest(SHOTS, 30)])
    stop = f" {free.tokens[9]} "
    at = next(i for i in range(1, 30) if free.tokens[i] == free.tokens[9])
    stopped, neighbour = made(packed, [GenerateRequest(SHOTS, 30, stop=(stop,)), GenerateRequest(SHOTS, 30)])
    assert stopped.tokens == free.tokens[: at + 1]
    assert stopped.finish == "stop"
    assert neighbour.tokens == free.tokens


def test_running_out_of_memory_restarts_the_unfinished_in_fewer_slots(monkeypatch):
    monkeypatch.setitem(SLOTS, "cpu", 8)
    packed = PackedModel(tiny("llama"))
    requests = [GenerateRequest((5, 6, i + 10), 4 + 4 * i) for i in range(8)]
    calm = made(packed, requests)
    whole = packed.hidden
    steps = 0

    def tight(tokens, positions, current):
        nonlocal steps
        steps += tokens.shape[1] == 1
        if steps > 10 and tokens.shape[0] > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return whole(tokens, positions, current)

    monkeypatch.setattr(packed, "hidden", tight)
    assert made(packed, requests) == calm


def test_no_room_for_one_sequence_is_an_error(monkeypatch):
    packed = PackedModel(tiny("llama"))
    packed.cache_bytes_per_token()  # is found by a forward pass, once

    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(packed, "hidden", full)
    with pytest.raises(OutOfMemory):
        made(packed, [GenerateRequest((5, 6), 4)])
