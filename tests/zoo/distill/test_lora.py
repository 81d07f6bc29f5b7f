"""Adapters: they begin at the model, train alone, and become part of it."""

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from zoo.distill.lora import AdaptedLinear, add_adapters, merge_adapters, merged_weights
from zoo.errors import InvalidOption

IDS = torch.arange(12)[None]


def tiny(**words):
    torch.manual_seed(0)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=32,
            hidden_size=16,
            intermediate_size=24,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            **words,
        )
    ).eval()


def trained(model):
    """The model after a step of each of its trained parameters."""
    model(input_ids=IDS, labels=IDS).loss.backward()
    with torch.no_grad():
        for one in model.parameters():
            if one.requires_grad:
                one += 0.1 * torch.randn(one.shape)
    return model


@pytest.mark.parametrize("bias", [False, True])
def test_adapters_change_nothing_before_they_are_trained(bias):
    model = tiny(attention_bias=bias)
    before = model(input_ids=IDS).logits
    add_adapters(model, 2)
    assert torch.equal(model(input_ids=IDS).logits, before)


def test_only_adapters_take_a_gradient_and_the_head_has_none():
    model = tiny()
    count = add_adapters(model, 2)
    assert not isinstance(model.lm_head, AdaptedLinear)
    taken = {name for name, one in trained(model).named_parameters() if one.grad is not None}
    assert {name.rpartition(".")[2] for name in taken} == {"lora_down", "lora_up"}
    # per layer q 16→16, k and v 16→8, o 16→16, gate and up 16→24, down 24→16, and two layers
    assert count == 2 * 2 * (32 + 24 + 24 + 32 + 40 + 40 + 40)


@pytest.mark.parametrize("bias", [False, True])
def test_a_merged_model_is_a_plain_one_that_says_the_same(bias):
    model = tiny(attention_bias=bias)
    names = set(model.state_dict())
    add_adapters(model, 2)
    trained(model)
    said = model(input_ids=IDS).logits
    tensors = merged_weights(model.state_dict())
    merge_adapters(model)
    assert set(model.state_dict()) == set(tensors) == names
    assert all(torch.equal(tensors[name], one) for name, one in model.state_dict().items())
    assert all(one.requires_grad for one in model.parameters())
    torch.testing.assert_close(model(input_ids=IDS).logits, said)


def test_the_same_seed_draws_the_same_adapters():
    drawn = []
    for seed in (0, 0, 1):
        model = tiny()
        add_adapters(model, 2, seed)
        drawn.append(model.model.layers[0].mlp.up_proj.lora_down)
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_a_rank_that_saves_nothing_is_refused():
    with pytest.raises(InvalidOption, match="narrowest layer has 8 channels"):
        add_adapters(tiny(), 8)
