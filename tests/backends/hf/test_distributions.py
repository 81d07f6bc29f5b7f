"""The whole distribution behind each token: the model's own, whatever the rows and blocks, packed or not."""

from types import SimpleNamespace

import pytest
import torch
from support.score_requests import requests
from support.tiny_models import tiny
from support.tolerances import assert_logprobs

from backends.contract import DistributionBackend, Options, OutOfMemory
from backends.hf import distributions
from backends.hf.backend import HfBackend
from backends.hf.distributions import packed_distributions, unpacked_distributions
from backends.packing.logprobs import all_logprobs
from backends.packing.packed_model import PackedModel

VOCABULARY = 300


@pytest.fixture(scope="module", params=["llama", "mistral-sliding-window", "nemotron"])
def model(request):
    return tiny(request.param)


@pytest.fixture(scope="module")
def asked():
    """Sequences in ascending order, and how many of each one's positions are its own."""
    sequences = sorted({request.context + request.continuation for request in requests()})
    counts, before = [], ()
    for tokens in sequences:
        shared = next((at for at, (a, b) in enumerate(zip(before, tokens, strict=False)) if a != b), len(before))
        counts.append(len(tokens) - shared)
        before = tokens
    return sequences, counts


def own(model, asked):
    """log p by the model's own forward pass over each sequence alone."""
    with torch.no_grad():
        return torch.cat(
            [
                model(torch.tensor([tokens])).logits[0, len(tokens) - count :].log_softmax(-1)
                for tokens, count in zip(*asked, strict=True)
            ]
        )


def joined(blocks):
    return torch.cat(list(blocks))


@pytest.mark.parametrize(("rows", "block"), [(37, 1), (64, 5 * 4 * VOCABULARY), (4096, None)])
def test_they_are_the_models_own(model, asked, rows, block):
    found = list(packed_distributions(PackedModel(model), *asked, rows, block))
    assert block is None or max(map(len, found)) <= max(1, block // (4 * VOCABULARY))
    assert_logprobs(torch.cat(found), own(model, asked))


def test_they_are_the_models_own_without_packing(model, asked):
    assert_logprobs(joined(unpacked_distributions(model, *asked)), own(model, asked))


def test_running_out_of_memory_makes_blocks_shorter_and_loses_nothing(asked, monkeypatch):
    packed = PackedModel(tiny("llama"))
    expected = joined(packed_distributions(packed, *asked, 512))

    def at_most(most):
        def run(hidden, head):
            if len(hidden) > most:
                raise torch.OutOfMemoryError("no room")
            return all_logprobs(hidden, head)

        return run

    monkeypatch.setattr(distributions, "all_logprobs", at_most(3))
    blocks = list(packed_distributions(packed, *asked, 512))
    assert max(map(len, blocks)) <= 3
    assert_logprobs(torch.cat(blocks), expected)
    monkeypatch.setattr(distributions, "all_logprobs", at_most(0))
    with pytest.raises(OutOfMemory, match="no room"):
        list(packed_distributions(packed, *asked, 512))


def test_a_head_in_half_precision_is_widened_piece_by_piece_and_finished(monkeypatch):
    """What a class does behind its head (here a cap) is done to the whole, and half-precision weights count as fp32."""
    torch.manual_seed(0)
    linear = torch.nn.Linear(16, VOCABULARY).bfloat16()
    hidden = torch.randn(9, 16)
    monkeypatch.setattr("backends.packing.logprobs.BUDGET", {"cpu": 16 * 4 * 7})

    def cap(logits):
        return 3 * torch.tanh(logits / 3)

    found = all_logprobs(hidden, SimpleNamespace(linear=linear, finish=cap))
    expected = cap(hidden @ linear.weight.float().T + linear.bias.float()).log_softmax(-1)
    assert found.dtype == torch.float32
    assert_logprobs(found, expected)


@pytest.fixture(scope="module")
def backend(stories):
    from zoo.checkpoint.locate import open_folder

    return HfBackend(open_folder(stories), Options(device="cpu"))


def test_the_backend_offers_them(backend):
    assert isinstance(backend, DistributionBackend)
    (block,) = backend.distributions([(1, 5, 9)], [2])
    assert tuple(block.shape) == (2, 512)
    assert block.exp().sum(-1).tolist() == pytest.approx([1, 1])


@pytest.mark.parametrize(
    ("sequences", "counts", "told"),
    [
        ([(1, 5)], [3], "3 positions"),
        ([()], [0], "of 0 tokens"),
        ([(1,) * 513], [1], "513 tokens does not fit into 512"),
        ([(1, 9999)], [1], "not all among the 512"),
    ],
)
def test_what_does_not_fit_is_refused_at_the_call(backend, sequences, counts, told):
    with pytest.raises(ValueError, match=told):
        backend.distributions(sequences, counts)


@pytest.mark.parametrize(("sequences", "counts"), [([(1, 9), (1, 5)], [2, 2]), ([(1, 5, 7), (1, 5, 7, 8)], [3, 4])])
def test_an_order_in_which_answers_would_be_mixed_up_is_refused(backend, sequences, counts):
    long = tuple(range(20, 60))
    with pytest.raises(ValueError, match="ascending order"):
        list(backend.distributions([long + tokens for tokens in sequences], counts))
