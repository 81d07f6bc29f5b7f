"""The step that a GPU compiles, on a CPU: what it computes, that it can be compiled whole, and what a GPU lacks."""

import pytest
import torch
from support.tiny_models import tiny
from support.tolerances import assert_logprobs

from backends.contract import ScoreRequest
from backends.packing.decode import graphs
from backends.packing.decode.graphs import GraphedStep, bucket, buckets, fit_of
from backends.packing.decode.torch_step import TorchStep, fuse, layer_step
from backends.packing.decode.weights import described
from backends.packing.packed_model import PackedModel
from backends.packing.score import packed_scores
from backends.packing.slots import SlotCache, prefilled

PROMPTS = [tuple(range(3, 60)), (5, 6, 7), tuple(range(100, 141))]
LENGTH = 80


def weights_of(packed):
    decoder = packed.twin.get_decoder()
    return described(decoder, decoder.layers)


def filled(packed):
    """Slots with the prompts in them, and their lengths in the order of the slots."""
    slots = SlotCache(packed, 4, LENGTH)
    for done in prefilled(packed, PROMPTS, 64):
        for prompt in done:
            slots.add(prompt, prompt.index)
    return slots, [len(PROMPTS[i]) for i in slots.active]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("family", ["llama", "mistral-sliding-window", "qwen2", "qwen3"])
@torch.inference_mode()
def test_the_step_is_the_forward_pass_of_the_model(family, dtype):
    packed = PackedModel(tiny(family).to(dtype))
    slots, lengths = filled(packed)
    step = TorchStep(weights_of(packed), slots._layers, paired=True)
    for turn in range(3):
        tokens, positions = [9 + turn] * 3, [length + turn for length in lengths]
        before = [(keys.clone(), values.clone()) for keys, values in slots._layers]
        theirs = slots.decode(tokens, positions)
        for (keys, values), (old_keys, old_values) in zip(slots._layers, before, strict=True):
            keys.copy_(old_keys)
            values.copy_(old_values)
        mine = step(torch.tensor(tokens), torch.tensor(positions), max(positions) + 1)
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-4)


@torch.inference_mode()
def test_a_span_longer_than_the_sequences_changes_nothing():
    packed = PackedModel(tiny("llama"))
    slots, lengths = filled(packed)
    step = TorchStep(weights_of(packed), slots._layers, paired=True)
    asked = torch.tensor([9] * 3), torch.tensor(lengths)
    torch.testing.assert_close(step(*asked, max(lengths) + 1), step(*asked, LENGTH), rtol=1e-5, atol=1e-5)


@torch.inference_mode()
def test_a_layer_is_compiled_whole_without_asking_the_device_for_anything():
    """fullgraph refuses whatever needs a value on the host; layers of unlike width are calls of their own."""
    packed = PackedModel(tiny("qwen3"))
    slots, lengths = filled(packed)
    asked = torch.tensor([9] * 3), torch.tensor(lengths), LENGTH
    plain = TorchStep(weights_of(packed), slots._layers, paired=True)(*asked)
    traced = torch.compile(layer_step, backend="eager", fullgraph=True, dynamic=False)
    found = TorchStep(weights_of(packed), slots._layers, paired=True, call=traced)(*asked)
    torch.testing.assert_close(found, plain)


def test_fused_products_hold_no_weight_twice_and_change_no_score():
    model = tiny("llama")
    packed = PackedModel(model)
    asked = [ScoreRequest(tuple(range(3, 40)), (7, 8, 9))]
    before = [score.logprob for score in packed_scores(asked, packed, 64)]
    fuse(weights_of(packed))
    first, own = packed.twin.get_decoder().layers[0], model.model.layers[0]
    q, k, v = (getattr(first.self_attn, name).weight for name in ("q_proj", "k_proj", "v_proj"))
    assert q.untyped_storage().data_ptr() == k.untyped_storage().data_ptr() == v.untyped_storage().data_ptr()
    assert q.untyped_storage().nbytes() == q.nbytes + k.nbytes + v.nbytes
    assert own.self_attn.q_proj.weight.data_ptr() == q.data_ptr()
    gate, up = first.mlp.gate_proj.weight, first.mlp.up_proj.weight
    assert gate.untyped_storage().data_ptr() == up.untyped_storage().data_ptr()
    assert_logprobs([score.logprob for score in packed_scores(asked, packed, 64)], before, 3)


@pytest.mark.parametrize(("capability", "dtype", "compiles", "lacks"), [
    ((9, 0), torch.bfloat16, True, ""),
    ((8, 0), torch.bfloat16, True, ""),
    ((7, 5), torch.float16, True, ""),
    ((7, 5), torch.bfloat16, True, "has no bfloat16"),
    ((7, 0), torch.float32, True, ""),
    ((6, 1), torch.float32, False, "is older than torch's compiler takes"),
    ((6, 1), torch.bfloat16, False, "is older than torch's compiler takes"),
])  # fmt: skip
def test_what_a_gpu_lacks_is_said(capability, dtype, compiles, lacks):
    fit = fit_of(capability, dtype)
    assert fit.compiles is compiles
    assert lacks in fit.lacks
    assert bool(fit.lacks) is bool(lacks)


def test_graphs_are_of_few_sizes_and_each_batch_and_span_has_one():
    assert buckets(1) == [1]
    assert buckets(24) == [1, 2, 4, 8, 16, 24]
    assert buckets(300, 128) == [128, 256, 300]
    assert buckets(90, 128) == [90]
    assert [bucket(n, buckets(24)) for n in (1, 3, 16, 17, 24)] == [1, 4, 16, 24, 24]


@torch.inference_mode()
def test_a_compiler_that_fails_is_told_once_and_torchs_calls_take_its_place(monkeypatch):
    """The path of a GPU up to the graph, which needs one."""

    def failing(*_):
        raise RuntimeError("no kernel for this shape\nmore")

    monkeypatch.setattr(graphs, "compiled_layer", lambda shapes: failing)
    packed = PackedModel(tiny("llama"))
    slots, lengths = filled(packed)
    told = []
    step = GraphedStep(weights_of(packed), slots._layers, True, told.append)
    step._positions[:3] = torch.tensor(lengths)
    step._run_or_fall_back(3, LENGTH)
    step._run_or_fall_back(3, LENGTH)
    assert told == ["no kernel for this shape more"] or told == ["no kernel for this shape"]
