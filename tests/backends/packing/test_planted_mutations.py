"""What the sweep of classes compares would show each fault that packing could have: planted, it moves log p by more than 0.1.

The tiny models are those of the sweep, and so are the requests and the comparison.
"""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from support.architecture_sweep import BUDGET, Own, largest_difference, opened, score_requests
from support.tiny_architectures import tiny_model
from transformers import AttentionInterface
from transformers.masking_utils import AttentionMaskInterface

from backends.packing import packed_model
from backends.packing.attention import NAME, tree_attention, tree_mask
from backends.packing.forward_pass import Reach
from backends.packing.head import OutputHead
from backends.packing.packed_model import PackedModel
from backends.packing.score import packed_scores
from backends.trial.packed_or_not import packed_or_not

SEEN = 0.1
"""|Δ log p| of a token that a fault must cost at least."""
OTHERWISE = {
    "sliding window": ("mistral", {"sliding_window": None}),
    "sliding window, in the mask alone": ("qwen2_moe", {"use_sliding_window": False}),
    "local attention": ("gpt_neo", {"window_size": 512}),
    "chunks": ("llama4_text", {"attention_chunk_size": 512}),
    "sparse keys": ("deepseek_v32", {"index_topk": 512}),
    "cap on logits": ("gemma2, attention uncapped", {"final_logit_softcapping": None}),
    "cap on attention": ("gemma2", {"attn_logit_softcapping": None}),
    "scale of attention": ("granite", {"attention_multiplier": 0.2}),
    "scale of logits": ("cohere", {"logit_scale": 1.0}),
    "scale of residuals": ("granite", {"residual_multiplier": 1.0}),
    "scale of embeddings": ("granite", {"embedding_multiplier": 1.0}),
    "scale of RoPE": ("llama, YaRN", {"rope_parameters": {"rope_type": "default", "rope_theta": 1e4}}),
    "norms of q and k": ("cohere, norms of q and k", {"use_qk_norm": False}),
}
"""What is dropped → the model, and the configuration without it: the same weights, since they are drawn by their names."""
PARTS = {
    "bias of fused q, k and v": ("gpt_neox", "query_key_value.bias", 0.0),
    "bias of q": ("qwen2", "q_proj.bias", 0.0),
    "bias of v": ("qwen2", "v_proj.bias", 0.0),
    "bias of the head": ("phi", "lm_head.bias", 0.0),
    "bias of the last norm": ("opt", "final_layer_norm.bias", 0.0),
    "sinks": ("gpt_oss", "sinks", -1e4),
    "positions": ("gpt2", "wpe.weight", 0.0),
    "choice of experts": ("mixtral", "gate.weight", 0.0),
}
"""What is dropped → the model, the end of its parameters' names, and what stands there when they are not there."""


def expected(model: Any) -> list[torch.Tensor]:
    return [Own(model).logprobs(request) for request in score_requests()]


@pytest.mark.parametrize("fault", OTHERWISE)
def test_what_a_configuration_says_shows_when_it_is_dropped(fault):
    name, without = OTHERWISE[fault]
    right = expected(tiny_model(name))
    assert largest_difference(opened(tiny_model(name), False, name), right) < SEEN / 100
    assert largest_difference(opened(tiny_model(name, **without), False, name), right) > SEEN


@pytest.mark.parametrize("fault", PARTS)
@torch.no_grad()
def test_a_weight_shows_when_it_is_dropped(fault):
    name, ending, absent = PARTS[fault]
    model = tiny_model(name)
    right = expected(model)
    dropped = [weight for key, weight in model.named_parameters() if key.endswith(ending)]
    assert dropped
    for weight in dropped:
        weight.fill_(absent)
    assert largest_difference(opened(model, False, name), right) > SEEN


def test_alibi_shows_when_it_is_dropped(monkeypatch):
    from transformers.models.bloom import modeling_bloom

    model = tiny_model("bloom")
    right = expected(model)
    slopes = modeling_bloom._get_alibi_slopes
    monkeypatch.setattr(modeling_bloom, "_get_alibi_slopes", lambda *given: slopes(*given) * 0)
    assert largest_difference(opened(model, False, "bloom"), right) > SEEN


class Tried:
    """A `PackedModel` that scores whatever its trial would say."""

    def __init__(self, model: Any) -> None:
        self._packed = PackedModel(model)

    def score(self, requests: Any) -> Any:
        return packed_scores(requests, self._packed, BUDGET)


def without_window(**_: Any) -> Reach:
    return Reach()


def without_scale(*given: Any, scaling: Any = None, **more: Any) -> Any:
    return tree_attention(*given, **more)


class Uncapped(OutputHead):
    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self.finish = None


PLANTED: dict[str, tuple[str, Callable[[Any], None]]] = {
    "window": ("qwen2_moe", lambda patch: patch.setattr(packed_model, "tree_mask", without_window)),
    "scale": ("granite", lambda patch: patch.setattr(packed_model, "tree_attention", without_scale)),
    "cap": ("gemma2, attention uncapped", lambda patch: patch.setattr(packed_model, "OutputHead", Uncapped)),
}
"""Faults of the packed path itself."""


@pytest.fixture
def planted(monkeypatch):
    yield monkeypatch
    AttentionInterface.register(NAME, tree_attention)
    AttentionMaskInterface.register(NAME, tree_mask)


@pytest.mark.parametrize("fault", PLANTED)
def test_a_fault_of_packing_shows_and_the_trial_refuses_it(fault, planted):
    name, plant = PLANTED[fault]
    model = tiny_model(name)
    right = expected(model)
    assert largest_difference(Tried(model), right) < SEEN / 100
    plant(planted)
    assert largest_difference(Tried(model), right) > SEEN
    packed, how = packed_or_not(model, eager=False)
    assert packed is None
    assert "differs" in how
