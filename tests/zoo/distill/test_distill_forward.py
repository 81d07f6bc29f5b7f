"""Hidden states before the head, documents of a row apart, and the states of the layers that are asked for."""

from functools import partial

import pytest
import torch
import torch.utils.checkpoint
from support.tiny_architectures import tiny_model
from support.tiny_models import tiny

from zoo.distill.batch import Batch
from zoo.distill.forward import EMBEDDING, check_documents_apart, check_layers, hidden_states, normed
from zoo.errors import InvalidOption, UnsupportedArchitecture

LENGTHS = (5, 9, 1, 7)


def packed(lengths=LENGTHS):
    """One row of documents end to end."""
    ids = torch.randint(3, 300, (1, sum(lengths)), generator=torch.Generator().manual_seed(0))
    positions = torch.cat([torch.arange(length) for length in lengths])[None]
    return Batch(ids, positions, torch.ones(ids.shape), (0,), "")


@pytest.mark.parametrize("family", ["llama", "llama-rope-scaled", "mistral", "mistral-sliding-window", "nemotron"])
def test_packed_documents_are_those_of_each_alone(family):
    model, batch = tiny(family), packed()
    with torch.no_grad():
        together, states = hidden_states(model, batch, (EMBEDDING, 1))
        alone = [model.model(input_ids=part, use_cache=False).last_hidden_state for part in batch.ids.split(LENGTHS, 1)]
        inner = [
            model.model(input_ids=part, use_cache=False, output_hidden_states=True).hidden_states[2]
            for part in batch.ids.split(LENGTHS, 1)
        ]
    assert torch.allclose(together, torch.cat(alone, 1), atol=1e-4)
    assert torch.allclose(states[1], normed(torch.cat(inner, 1)), atol=1e-4)
    assert torch.equal(states[0], normed(model.get_input_embeddings()(batch.ids)))


def test_states_are_the_outputs_of_layers_in_the_order_asked():
    model, batch = tiny("llama"), packed((8,))
    with torch.no_grad():
        hidden, (last, first, embedded) = hidden_states(model, batch, (2, 0, EMBEDDING))
        said = model.model(input_ids=batch.ids, use_cache=False, output_hidden_states=True).hidden_states
        assert torch.allclose(embedded, normed(said[0]))
        assert torch.allclose(first, normed(said[1]))
        assert torch.allclose(model.model.norm(last), hidden, atol=1e-4)


def test_a_normed_state_has_unit_mean_square_in_its_own_dtype():
    state = normed(torch.full((2, 3, 8), 40.0, dtype=torch.bfloat16))
    assert state.dtype == torch.bfloat16
    assert torch.equal(state, torch.ones(2, 3, 8, dtype=torch.bfloat16))


def test_gradients_through_states_are_the_same_under_activation_checkpoints():
    found = []
    for checkpoint in (False, True):
        model = tiny("llama").train()
        if checkpoint:
            for layer in model.model.layers:
                layer.forward = partial(torch.utils.checkpoint.checkpoint, layer.forward, use_reentrant=False)
        hidden, states = hidden_states(model, packed(), (1, EMBEDDING))
        (hidden.square().sum() + sum(state[..., 0].sum() for state in states)).backward()
        found.append([weight.grad for weight in model.model.parameters()])
    assert all(torch.allclose(plain, again) for plain, again in zip(*found, strict=True))


def test_no_hook_stays_behind_whatever_happens():
    model = tiny("llama")
    broken = packed()
    with pytest.raises(IndexError):
        hidden_states(model, Batch(broken.ids + 300, broken.positions, broken.weight, (0,), ""), (0,))
    hidden_states(model, packed(), (0,))
    assert not any(module._forward_hooks for module in model.model.layers)


@pytest.mark.parametrize("layer", [3, -2])
def test_layer_that_is_not_there_is_refused(layer):
    with pytest.raises(InvalidOption, match="layers 0 to 2"):
        check_layers(tiny("llama"), (0, layer))


@pytest.mark.parametrize("kind", ["opt", "falcon_h1"])
def test_model_that_mixes_documents_is_refused(kind):
    with pytest.raises(UnsupportedArchitecture, match="apart"):
        check_documents_apart(tiny_model(kind))


@pytest.mark.parametrize("family", ["llama", "mistral-sliding-window", "nemotron"])
def test_model_that_keeps_documents_apart_is_taken_and_left_as_it_was(family):
    model = tiny(family).train()
    check_documents_apart(model.bfloat16())
    assert model.training
