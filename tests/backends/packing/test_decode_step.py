"""The compiled step: the tokens of the model itself, the same bits alone and among others, and what happens without it."""

import random

import pytest
import torch
from support.tiny_models import config_of, tiny, tiny_of

from backends.contract import GenerateRequest, Options, StreamRequest
from backends.packing.decode import choice, compiler
from backends.packing.decode.native import NativeStep
from backends.packing.generate import SLOTS, continuous_generations
from backends.packing.packed_model import PackedModel
from backends.packing.slots import SlotCache, prefilled
from backends.packing.stream import streamed
from backends.trial.packed_or_not import packed_or_not

FAMILIES = ["llama", "llama-rope-scaled", "mistral", "mistral-sliding-window", "qwen2", "qwen3"]
SHOTS = tuple(random.Random(5).randrange(3, 300) for _ in range(120))
PROMPTS = [(*SHOTS, 7, 8), SHOTS + (9,) * 30, (5, 6, 7), SHOTS[:50], SHOTS, (11,), (*SHOTS, 7, 8)]


class NoTokenizer:
    bos_id, eos_id, vocab_size = 1, None, 300

    def decode(self, tokens, skip_special_tokens=True):
        return "".join(f"{token} " for token in tokens)


def compiled(model):
    packed = PackedModel(model)
    packed.choose_decode("compiled")
    assert packed.decodes.startswith("compiled (")
    return packed


def made(packed, requests):
    return sorted(continuous_generations(packed, NoTokenizer(), requests, 64), key=lambda g: g.index)


def alone(model, request):
    whole = model.generate(
        torch.tensor([request.prompt]), max_new_tokens=request.max_new_tokens, do_sample=False, pad_token_id=0
    )
    tokens = whole[0, len(request.prompt) :].tolist()
    return tokens[: tokens.index(2) + 1] if 2 in tokens else tokens


@pytest.fixture(scope="module", params=FAMILIES)
def family(request):
    return request.param


@pytest.mark.parametrize("slots", [1, 3, 32])
def test_greedy_tokens_are_those_of_transformers_generate(family, slots, monkeypatch):
    monkeypatch.setitem(SLOTS, "cpu", slots)
    model = tiny(family)
    requests = [GenerateRequest(p, 6 + 3 * i) for i, p in enumerate(PROMPTS)]
    found = made(compiled(model), requests)
    assert [list(g.tokens) for g in found] == [alone(model, request) for request in requests]


def test_weights_in_bf16_give_the_tokens_of_the_same_weights_in_fp32(family):
    model = tiny(family).to(torch.bfloat16)
    requests = [GenerateRequest(p, 12) for p in PROMPTS]
    found = made(compiled(model), requests)
    wide = model.float()
    assert [list(g.tokens) for g in found] == [alone(wide, request) for request in requests]


@pytest.mark.parametrize("changes", [
    {"head_dim": 10, "hidden_size": 52, "intermediate_size": 83},
    {"num_attention_heads": 8, "num_key_value_heads": 1},
    {"num_attention_heads": 6, "num_key_value_heads": 6, "tie_word_embeddings": True},
], ids=["widths that fill no vector", "eight heads a key", "a key a head, tied"])  # fmt: skip
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_odd_shapes_are_followed(changes, dtype):
    model = tiny_of(config_of("llama", **changes)).to(dtype)
    requests = [GenerateRequest(p, 8) for p in PROMPTS]
    found = made(compiled(model), requests)
    assert [list(g.tokens) for g in found] == [alone(model.float(), request) for request in requests]


@torch.inference_mode()
def hidden(packed, prompts, steps=3):
    """Hidden states of a few steps of prompts that decode together."""
    slots = SlotCache(packed, len(prompts), 200)
    for done in prefilled(packed, prompts, 64):
        for prompt in done:
            slots.add(prompt, prompt.index)
    found = {}
    for step in range(steps):
        states = slots.decode([5 + step] * len(prompts), [len(prompts[i]) + step for i in slots.active])
        for i, state in zip(slots.active, states, strict=True):
            found.setdefault(i, []).append(state)
    return {i: torch.stack(states) for i, states in found.items()}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_a_sequence_has_the_same_bits_alone_and_among_others_whatever_the_threads(dtype, threads):
    packed = compiled(tiny("qwen3").to(dtype))
    before = torch.get_num_threads()
    prompts = [SHOTS[i : 4 * i + 20] for i in range(11)]
    (first,) = hidden(packed, prompts[3:4]).values()
    torch.set_num_threads(threads)
    try:
        together = hidden(packed, prompts)
    finally:
        torch.set_num_threads(before)
    # Its prompt is computed beside others, which may cost the last bit: the keys in its slot differ there, nothing else.
    torch.testing.assert_close(together[3], first, rtol=0, atol=2e-5)
    again = hidden(packed, prompts)
    assert all(torch.equal(together[i], again[i]) for i in together)


def test_one_product_has_the_same_bits_for_any_number_of_rows():
    packed = compiled(tiny("llama"))
    x = torch.randn(33, 48, generator=torch.Generator().manual_seed(3))
    whole = packed.fast.logits(x)
    for rows in (1, 2, 3, 4, 7, 32):
        assert torch.equal(packed.fast.logits(x[:rows]), whole[:rows])
    torch.testing.assert_close(whole, x @ packed.twin.lm_head.weight.T)


def test_twenty_samples_of_a_prompt_share_its_prefill(monkeypatch):
    packed = compiled(tiny("llama"))
    computed = []
    whole = packed.row_hidden
    monkeypatch.setattr(packed, "row_hidden", lambda row, current: computed.append(len(row)) or whole(row, current))
    requests = [GenerateRequest(SHOTS, 8, temperature=1.0, seed=seed) for seed in range(20)]
    together = made(packed, requests)
    assert sum(computed) == len(SHOTS)
    assert len({g.tokens for g in together}) > 10
    assert made(packed, requests[7:8])[0].tokens == together[7].tokens


def test_a_stop_string_costs_the_decoding_of_a_few_tokens_however_long_the_text_is():
    asked = []

    class Watched(NoTokenizer):
        def decode(self, tokens, skip_special_tokens=True):
            asked.append(len(tokens))
            return super().decode(tokens)

    requests = [GenerateRequest(SHOTS, 60, stop=("none",))]
    list(continuous_generations(compiled(tiny("llama")), Watched(), requests, 64))
    assert len(asked) >= 59
    assert max(asked) <= len("none") + 2


def test_the_step_passes_the_trial_and_one_that_computes_something_else_is_given_up(monkeypatch):
    packed, how = packed_or_not(tiny("llama"), eager=False, decode="compiled")
    assert how == "packed"
    assert packed.decodes.startswith("compiled")
    right = NativeStep.__call__
    monkeypatch.setattr(NativeStep, "__call__", lambda self, tokens, at: right(self, tokens, at) * 1.5)
    packed, how = packed_or_not(tiny("llama"), eager=False, decode="compiled")
    assert how == "packed"
    assert packed.fast is None
    assert packed.decodes.startswith("torch, since a trial of its fast step differs by")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_trial_takes_the_step_with_short_windows_and_in_half_precision(dtype):
    packed, how = packed_or_not(tiny("mistral-sliding-window").to(dtype), eager=False, decode="compiled")
    assert how == "packed"
    assert packed.decodes.startswith("compiled")


@pytest.mark.parametrize(("model", "why"), [
    (lambda: tiny("nemotron"), "torch"),
    (lambda: tiny("llama").to(torch.float16), "torch, since its weights are held in float16"),
], ids=["another family", "float16"])  # fmt: skip
def test_what_the_step_does_not_follow_decodes_as_before(model, why):
    packed = PackedModel(model())
    packed.choose_decode("compiled")
    assert packed.decodes == why
    assert packed.fast is None


@pytest.fixture
def compiling_anew():
    compiler.library.cache_clear()
    yield
    compiler.library.cache_clear()


def test_without_a_compiler_torch_decodes_and_the_record_says_so(monkeypatch, compiling_anew):
    monkeypatch.setattr(compiler, "COMPILER", "no-such-compiler")
    model = tiny("llama")
    packed, how = packed_or_not(model, eager=False, decode="auto")
    assert how == "packed"
    assert packed.decodes == "fallback: torch, since its step was not compiled: there is no no-such-compiler here"
    requests = [GenerateRequest(p, 6) for p in PROMPTS]
    assert [list(g.tokens) for g in made(packed, requests)] == [alone(model, request) for request in requests]


def test_a_compiler_that_refuses_is_quoted(monkeypatch, compiling_anew, tmp_path):
    broken = tmp_path / "step.cpp"
    broken.write_text("int f( { return 1; }\n")
    monkeypatch.setattr(compiler, "SOURCE", broken)
    monkeypatch.setattr(compiler, "SOURCES", (broken,))
    packed = PackedModel(tiny("llama"))
    packed.choose_decode("auto")
    assert packed.decodes.startswith("fallback: torch, since its step was not compiled: g++ refused it (")
    assert "error" in packed.decodes


def test_what_is_compiled_is_kept_for_the_next_process(monkeypatch, compiling_anew):
    compiler.library()
    compiler.library.cache_clear()

    def never(*_):
        raise AssertionError("compiled again")

    monkeypatch.setattr(compiler, "_compile", never)
    compiler.library()


def test_torch_is_chosen_where_its_layers_are_measured_faster(monkeypatch):
    monkeypatch.setattr(choice, "measured", lambda *_: {1: (2.0, 1.0), 16: (3.0, 1.0)})
    packed = PackedModel(tiny("llama"))
    packed.choose_decode("auto")
    assert packed.decodes == "torch, whose layers are faster on this processor"
    packed.choose_decode("compiled")
    assert packed.decodes.startswith("compiled")


def test_the_choice_is_measured_on_the_models_own_layer():
    packed = PackedModel(tiny("llama"))
    packed.choose_decode("auto")
    if packed.fast is not None:
        assert set(packed.fast.seconds) == set(choice.ROWS)
        assert all(mine > 0 and theirs > 0 for mine, theirs in packed.fast.seconds.values())


def test_a_cache_too_short_for_a_step_is_refused_before_anything_is_written():
    packed = compiled(tiny("llama"))
    slots = SlotCache(packed, 1, 10)
    ((prompt,),) = prefilled(packed, [(5, 6, 7)], 64)
    slots.add(prompt, 0)
    with pytest.raises(ValueError, match="position 10 has no place in a cache of 10"):
        slots.decode([5], [10])


@pytest.mark.parametrize("way", ["torch", "compiled"])
def test_a_request_longer_than_its_slot_is_refused(way):
    class Feed:
        def take(self, room, idle):
            return [StreamRequest(0, (5, 6, 7, 8), 7)]

    packed = PackedModel(tiny("llama"))
    packed.choose_decode(way)
    with pytest.raises(ValueError, match="4 \\+ 7 tokens do not fit into slots of 10"):
        list(streamed(packed, Feed(), 1, 10, lambda: 0.0, 64))


def test_a_setting_that_is_none_is_refused():
    from backends.hf.options import decode_wanted
    from zoo.errors import UnsupportedRequest

    assert decode_wanted(Options()) == "auto"
    assert decode_wanted(Options(engine={"decode": "torch"})) == "torch"
    with pytest.raises(UnsupportedRequest, match="no setting blocks"):
        decode_wanted(Options(engine={"blocks": 2}))
    with pytest.raises(UnsupportedRequest, match="do not decode by 'fast'"):
        decode_wanted(Options(engine={"decode": "fast"}))
