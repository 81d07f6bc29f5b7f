"""A head says what a model's own forward does between its hidden states and its logits, or is refused."""

import pytest
import torch
from support.dense_losses import dense_logits
from support.tiny_architectures import tiny_model

from zoo.checkpoint.in_memory.logit_shell import decoder_of
from zoo.distill.heads import head_of, renewed
from zoo.errors import UnsupportedArchitecture

TAKEN = [
    "llama",
    "mistral",
    "nemotron",
    "qwen2",
    "qwen3",
    "gpt2",
    "opt",
    "phi",
    "gemma2",
    "cohere",
    "granite",
    "minicpm3",
]


@pytest.mark.parametrize("kind", TAKEN)
def test_logits_are_the_models_own(kind):
    model = tiny_model(kind).eval()
    ids = torch.arange(12).view(2, 6)
    with torch.no_grad():
        hidden = decoder_of(model)(input_ids=ids, use_cache=False).last_hidden_state
        wanted = model(input_ids=ids, use_cache=False).logits
        assert torch.allclose(dense_logits(hidden, head_of(model)), wanted, atol=1e-5)


def test_scale_cap_and_bias_are_found():
    assert head_of(tiny_model("gemma2")).softcap == 3.0
    assert head_of(tiny_model("cohere")).scale == 0.8
    assert head_of(tiny_model("granite")).scale == pytest.approx(1 / 1.7)
    assert head_of(tiny_model("phi")).bias is not None


def test_tied_head_is_the_embeddings_own_parameter():
    model = tiny_model("llama", tie_word_embeddings=True)
    assert head_of(model).weight is model.get_input_embeddings().weight


def test_renewed_head_has_the_weights_of_now():
    model = tiny_model("gemma2")
    head = head_of(model)
    model.lm_head.weight = torch.nn.Parameter(torch.zeros_like(model.lm_head.weight))
    now = renewed(head, model)
    assert now.weight is model.lm_head.weight
    assert now.softcap == head.softcap


def test_what_no_figure_says_is_refused():
    with pytest.raises(UnsupportedArchitecture, match="not known"):
        head_of(tiny_model("falcon_h1"))


def test_figure_by_another_name_is_refused():
    model = tiny_model("cohere")
    model.config.logit_scale = 2 * model.config.logit_scale
    with pytest.raises(UnsupportedArchitecture, match="CohereForCausalLM"):
        head_of(model)


def test_model_without_a_linear_head_is_refused():
    with pytest.raises(UnsupportedArchitecture, match="no head"):
        head_of(tiny_model("llama").model)
