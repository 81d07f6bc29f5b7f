"""Windows are short while a trial runs, wherever a class keeps them, and as they were afterwards."""

import pytest
import torch
import transformers
from support.tiny_models import DIMS, config_of, tiny_of

from backends.trial.windows import SHORT, short_windows


def far_token_counts(model):
    """Whether the prediction after 32 tokens depends on the first of them."""
    ids = torch.arange(5, 37)[None]
    other = ids.clone()
    other[0, 0] = 200
    with torch.inference_mode():
        return not torch.allclose(*(model(x, use_cache=False).logits[0, -1] for x in (ids, other)))


def test_a_window_in_the_configuration_is_short_inside_and_as_it_was_afterwards():
    model = tiny_of(config_of("mistral", sliding_window=1000, num_hidden_layers=2))
    assert far_token_counts(model)
    with short_windows(model):
        assert model.config.sliding_window == SHORT
        assert not far_token_counts(model)
    assert model.config.sliding_window == 1000
    assert far_token_counts(model)


def test_windows_are_as_they_were_after_an_error():
    model = tiny_of(transformers.Gemma3TextConfig(**DIMS, sliding_window=64))
    kept = {name: module.sliding_window for name, module in model.named_modules() if hasattr(module, "sliding_window")}
    with pytest.raises(ZeroDivisionError), short_windows(model):
        raise ZeroDivisionError
    assert model.config.sliding_window == 64
    assert {n: m.sliding_window for n, m in model.named_modules() if hasattr(m, "sliding_window")} == kept


def test_what_is_no_window_stays():
    model = tiny_of(config_of("llama"))
    model.config.sliding_window = None
    model.config.window_size = True
    with short_windows(model):
        assert model.config.sliding_window is None
        assert model.config.window_size is True
