"""What a model's mask says is what packed attention sees."""

import pytest
import torch
from transformers.masking_utils import (
    and_masks,
    causal_mask_function,
    chunked_causal_mask_function,
    or_masks,
    sliding_window_causal_mask_function,
)

from backends.packing.attention import tree_attention, tree_mask
from backends.packing.forward_pass import Reach, Unsupported


@pytest.mark.parametrize("size", [1, 2, 3, 64, 4096])
def test_masks_of_transformers_are_read(size):
    chunked = chunked_causal_mask_function(size, torch.zeros(1, dtype=torch.long))
    assert tree_mask(mask_function=causal_mask_function) == Reach()
    assert tree_mask(mask_function=and_masks(causal_mask_function)) == Reach()
    read = tree_mask(mask_function=sliding_window_causal_mask_function(size), local_size=size)
    assert read == Reach(window=size)
    read = tree_mask(mask_function=chunked, local_size=size)
    assert read in (Reach(chunk=size), Reach(window=1) if size == 1 else None)


@pytest.mark.parametrize(
    "function",
    [
        lambda b, h, q, k: k >= 0 * q,
        or_masks(causal_mask_function, lambda b, h, q, k: k < 2),
        and_masks(causal_mask_function, lambda b, h, q, k: k > 0),
        and_masks(causal_mask_function, lambda b, h, q, k: torch.ones(1, 5)[b, k] > 0),
    ],
    ids=["both-ways", "prefix", "hole", "padding"],
)
@pytest.mark.parametrize("size", [None, 16])
def test_any_other_mask_is_refused(function, size):
    with pytest.raises(Unsupported, match="mask"):
        tree_mask(mask_function=function, local_size=size)


def test_a_window_of_another_size_than_is_said_is_refused():
    with pytest.raises(Unsupported, match="mask"):
        tree_mask(mask_function=sliding_window_causal_mask_function(15), local_size=16)


def test_a_mask_with_rules_of_its_own_is_refused():
    with pytest.raises(Unsupported, match="rules of its own"):
        tree_mask(mask_function=causal_mask_function, use_vmap=True)


@pytest.mark.parametrize("argument", ["softcap", "s_aux", "position_bias", "head_mask"])
def test_arguments_that_change_attention_are_refused_by_name(argument):
    with pytest.raises(Unsupported, match=argument):
        tree_attention(None, None, None, None, Reach(), **{argument: 1})


def test_a_mask_of_numbers_and_attention_to_later_tokens_are_refused():
    with pytest.raises(Unsupported, match="mask of its own"):
        tree_attention(None, None, None, None, torch.zeros(1, 1, 4, 4))
    with pytest.raises(Unsupported, match="later tokens"):
        tree_attention(None, None, None, None, Reach(), is_causal=False)


@pytest.mark.parametrize(("reach", "longest"), [(Reach(), 10**6), (Reach(window=7), 7), (Reach(chunk=5), 5)])
def test_a_reach_covers_sequences_in_which_it_hides_nothing(reach, longest):
    for length in (1, longest - 1, longest):
        at = torch.arange(min(length, 50))
        assert reach.covers(length)
        assert torch.equal(reach.sees(at[:, None], at), at[:, None] >= at)
    assert reach == Reach() or not reach.covers(longest + 1)
