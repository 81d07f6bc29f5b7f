"""Whatever a model does that packing does not follow shows in its trial, in half precision as in fp32."""

import pytest
import torch
import transformers
from support.tiny_models import DIMS, config_of, tiny, tiny_of

from backends.contract import OutOfMemory
from backends.packing.forward_pass import Reach
from backends.packing.packed_model import PackedModel
from backends.trial import packed_or_not as trial
from backends.trial.packed_or_not import packed_or_not, tried_model
from zoo.errors import one_line

DTYPES = [torch.float32, torch.bfloat16, torch.float16]


def sliding(dtype):
    """A window longer than the sequences of the trial."""
    return tiny_of(config_of("mistral", sliding_window=500)).to(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_dropped_window_is_found_though_no_sequence_of_the_trial_is_as_long(dtype, monkeypatch):
    assert packed_or_not(sliding(dtype), eager=False)[1] == "packed"
    monkeypatch.setattr("backends.packing.packed_model.tree_mask", lambda **_: Reach())
    assert "differs by" in packed_or_not(sliding(dtype), eager=False)[1]


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_dropped_cap_is_found(dtype, monkeypatch):
    config = transformers.Gemma2Config(**DIMS, attn_logit_softcapping=None, final_logit_softcapping=5.0)
    assert packed_or_not(tiny_of(config).to(dtype), eager=False)[1] == "packed"
    monkeypatch.setattr("backends.packing.head._finish", lambda *_: None)
    assert "differs by" in packed_or_not(tiny_of(config).to(dtype), eager=False)[1]


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_fault_of_decoding_alone_is_found(dtype, monkeypatch):
    def sees_all(self, reach, dtype):
        return torch.zeros(self.size, 1, 1, self._longest, dtype=dtype)

    monkeypatch.setattr("backends.packing.decode.decode_pass.DecodePass._mask", sees_all)
    assert "differs by" in packed_or_not(tiny("llama").to(dtype), eager=False)[1]


@pytest.mark.parametrize("error", [RuntimeError("shapes"), NotImplementedError(), KeyError("x"), AssertionError("")])
def test_whatever_a_trial_raises_means_plain_scoring_with_the_reason(error, monkeypatch):
    def broken(*_):
        raise error

    monkeypatch.setattr(PackedModel, "hidden", broken)
    packed, how = packed_or_not(tiny("llama"), eager=False)
    assert packed is None
    assert how == f"plain, since a trial of it failed ({one_line(error) or type(error).__name__})"


@pytest.mark.parametrize("error", [OutOfMemory("full"), torch.OutOfMemoryError("CUDA out of memory")])
def test_out_of_memory_is_no_reason_for_plain_scoring(error, monkeypatch):
    def full(*_):
        raise error

    monkeypatch.setattr(PackedModel, "hidden", full)
    with pytest.raises(type(error)):
        tried_model(tiny("llama"))


def test_without_room_for_an_fp32_weight_the_trial_takes_weights_as_they_are_held(monkeypatch):
    taken = []
    largest_difference = trial._largest_difference

    def cramped(packed, model, precise):
        taken.append(precise)
        if precise:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return largest_difference(packed, model, precise)

    monkeypatch.setattr(trial, "_largest_difference", cramped)
    assert packed_or_not(tiny("llama").to(torch.bfloat16), eager=False)[1] == "packed"
    assert taken == [True, False]


def test_a_model_whose_own_logits_are_nan_says_so():
    model = tiny("llama")
    model.model.norm.weight.data[3] = float("nan")
    assert packed_or_not(model, eager=False)[1] == "plain, since its own log-probabilities are not finite"


def test_the_sequences_hold_no_token_that_the_configuration_names():
    model = tiny("llama", eos_token_id=[2, 9, 12])
    named = {1, 2, 9, 12}
    assert not named & {token for ids in trial.sequences_of(model) for token in ids}
