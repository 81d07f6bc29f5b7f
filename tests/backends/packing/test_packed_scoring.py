"""Scores by tree packing are those of the model alone, whatever the rows, and running out of memory loses nothing."""

import random
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from support.score_requests import in_order, requests, some
from support.tiny_models import DIMS, DYNAMIC_ROPE, FAMILIES, config_of, tiny, tiny_of
from support.tolerances import assert_logprobs

from backends.contract import OutOfMemory, ScoreRequest
from backends.hf.unpacked import unpacked_scores
from backends.packing.attention import FOLDED
from backends.packing.attention_plan import CHAIN
from backends.packing.forward_pass import Unsupported
from backends.packing.logprobs import target_logprobs
from backends.packing.packed_model import PackedModel
from backends.packing.score import packed_scores, tree_of
from backends.trial.packed_or_not import packed_or_not, tried_model


@pytest.fixture(scope="module", params=sorted(FAMILIES))
def model(request):
    return tiny(request.param)


@pytest.mark.parametrize(("budget", "chain", "folded"), [
    (1, 768, False), (7, 768, False), (64, 768, False), (4096, 768, False), (4096, 768, True), (4096, 100, False),
    (200, 100, False), (200, 100, True),
])  # fmt: skip
def test_packed_scores_equal_plain_ones(model, budget, chain, folded, monkeypatch):
    """Chains under a mask, with query heads folded (as on a GPU) or not, and, from `chain` tokens, as plain causal attention
    with and without ancestors.
    """
    monkeypatch.setitem(CHAIN, "cpu", chain)
    monkeypatch.setitem(FOLDED, "cpu", folded)
    asked = requests()[: 8 if budget == 1 else None]
    packed = in_order(packed_scores(asked, PackedModel(model), budget))
    for mine, plain in zip(packed, in_order(unpacked_scores(model, asked, 1)), strict=True):
        assert mine.greedy == plain.greedy
        assert_logprobs(mine.logprob, plain.logprob, len(plain.token_logprobs))
        assert_logprobs(mine.token_logprobs, plain.token_logprobs)


def test_a_sliding_window_reaches_back_along_the_path_only():
    """The same tokens with and without the window must differ, or the test above proves nothing about it."""
    asked = requests()
    wide, narrow = tiny("mistral"), tiny("mistral-sliding-window")
    narrow.load_state_dict(wide.state_dict())
    scores = [in_order(packed_scores(asked, PackedModel(m), 512)) for m in (wide, narrow)]
    assert max(abs(a.logprob - b.logprob) for a, b in zip(*scores, strict=True)) > 0.01


def test_the_original_model_is_left_as_it_was(model):
    tokens = torch.arange(40)[None]
    with torch.no_grad():
        before = model(tokens).logits
        PackedModel(model)
        assert torch.equal(model(tokens).logits, before)


def test_the_twin_holds_no_weights_of_its_own(model):
    twin = PackedModel(model).twin
    assert {p.data_ptr() for p in twin.parameters()} == {p.data_ptr() for p in model.parameters()}


def test_a_long_request_is_cut_over_many_rows():
    draw = random.Random(3)
    long = [ScoreRequest(some(draw, 1), some(draw, 1500)), ScoreRequest(some(draw, 1200), some(draw, 30))]
    model = tiny("llama")
    packed = in_order(packed_scores(long, PackedModel(model), 256))
    for request, mine, plain in zip(long, packed, in_order(unpacked_scores(model, long, 1)), strict=True):
        assert_logprobs(mine.logprob, plain.logprob, len(request.continuation))


class Watched(PackedModel):
    """Notes the rows it computes, and runs out of memory above a length, as a device would."""

    def __init__(self, model, room=1 << 30):
        super().__init__(model)
        self.room, self.failed, self.done = room, 0, []

    def run_row(self, row, path):
        if hasattr(self, "room"):
            if len(row) > self.room:
                self.failed += 1
                raise OutOfMemory("no room")
            self.done.append((row.start, row.stop))
        return super().run_row(row, path)


def test_every_shared_token_is_computed_once():
    asked = requests()
    engine = Watched(tiny("llama"))
    list(packed_scores(asked, engine, 200))
    computed = sum(stop - start for start, stop in engine.done)
    assert computed == len(tree_of(asked))
    assert computed < 0.4 * sum(len(r.context) + len(r.continuation) - 1 for r in asked)


def test_rows_are_halved_when_memory_runs_out_and_nothing_is_scored_twice():
    asked = requests()
    engine = Watched(tiny("llama"), 100)
    small = in_order(packed_scores(asked, engine, 2048))
    large = in_order(packed_scores(asked, PackedModel(tiny("llama")), 2048))
    tokens = [len(request.continuation) for request in asked]
    assert_logprobs([s.logprob for s in small], [s.logprob for s in large], tokens)
    assert 0 < engine.failed <= 8
    assert all(a[1] == b[0] for a, b in pairwise(sorted(engine.done)))


def test_one_token_without_room_is_an_error():
    engine = Watched(tiny("llama"), 0)
    with pytest.raises(OutOfMemory):
        list(packed_scores(requests(), engine, 64))


def test_torchs_out_of_memory_is_known(monkeypatch):
    packed = PackedModel(tiny("llama"))
    row = tree_of(requests()).row(0, 40)

    with monkeypatch.context() as patch:
        patch.setattr(packed, "row_hidden", lambda *_: full())
        with pytest.raises(OutOfMemory):
            packed.run_row(row, None)
    assert len(packed.run_row(row, None)[0]) == len(row.scored)


def test_the_head_takes_fewer_logits_at_a_time_where_memory_runs_out(monkeypatch):
    packed = PackedModel(tiny("llama"))
    row = tree_of(requests()).row(0, 400)
    states, _ = packed.run_row(row, None)
    (expected,) = packed.answer([row], [states])
    budgets = []

    def cramped(hidden, head, asked, targets, budget, finish):
        budgets.append(budget)
        if budget > 2 << 20:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return target_logprobs(hidden, head, asked, targets, budget, finish)

    monkeypatch.setattr("backends.packing.packed_model.target_logprobs", cramped)
    (found,) = packed.answer([row], [states])
    assert budgets == [8 << 20, 4 << 20, 2 << 20]
    assert_logprobs(found.logprobs, expected.logprobs)
    monkeypatch.setattr("backends.packing.packed_model.target_logprobs", lambda *_: full())
    with pytest.raises(OutOfMemory):
        packed.answer([row], [states])


def full():
    raise torch.OutOfMemoryError("CUDA out of memory")


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (lambda: config_of("llama", rope_parameters=DYNAMIC_ROPE), "length of a call"),
        (lambda: __import__("transformers").Gemma2Config(**DIMS), "softcap"),
        (
            lambda: __import__("transformers").BloomConfig(vocab_size=300, hidden_size=48, n_layer=2, n_head=4),
            "code of its own",
        ),
    ],
)
def test_models_that_packing_does_not_follow_are_scored_plainly_and_told(config, reason):
    model = tiny_of(config())
    with pytest.raises(Unsupported, match=reason):
        tried_model(model)
    packed, how = packed_or_not(model, eager=False)
    assert packed is None
    assert how.startswith("plain, since")


def test_eager_means_no_sharing():
    assert packed_or_not(tiny("llama"), eager=True) == (None, "plain")


@pytest.mark.parametrize("budget", [300 * 4, 1 << 14, 1 << 24])
@pytest.mark.parametrize("bias", [False, True])
def test_log_probabilities_in_blocks_equal_log_softmax(budget, bias):
    torch.manual_seed(0)
    head = torch.nn.Linear(24, 5000, bias=bias)
    hidden = torch.randn(700, 24)
    asked = torch.randint(0, 700, (900,)).sort().values
    expected = F.log_softmax(head(hidden), -1)
    targets = torch.randint(0, 5000, (900,))
    targets[::3] = expected.argmax(-1)[asked[::3]]
    with torch.inference_mode():
        logprobs, greedy = target_logprobs(hidden, head, asked, targets, budget)
    assert_logprobs(logprobs, expected[asked, targets])
    assert torch.equal(greedy, expected.argmax(-1)[asked] == targets)


def test_the_first_of_equal_logits_is_the_greedy_one():
    head = torch.nn.Linear(4, 1000, bias=False)
    with torch.inference_mode():
        head.weight.zero_()
        for twin in (100, 101, 900):
            head.weight[twin] = 1.0
        asked, targets = torch.zeros(3, dtype=torch.long), torch.tensor([100, 101, 900])
        _, greedy = target_logprobs(torch.ones(1, 4), head, asked, targets, 400)
    assert greedy.tolist() == [True, False, False]


def test_the_head_never_holds_more_logits_than_its_budget():
    """A vocabulary of 256k at 512 positions would be half a gigabyte at once."""
    from torch.utils._python_dispatch import TorchDispatchMode

    largest = 0

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            nonlocal largest
            out = func(*args, **(kwargs or {}))
            if (
                isinstance(out, torch.Tensor)
                and out.untyped_storage().data_ptr() != head.weight.untyped_storage().data_ptr()
            ):
                largest = max(largest, out.untyped_storage().nbytes())
            return out

    head = torch.nn.Linear(8, 256_000, bias=False)
    with torch.inference_mode(), Watch():
        target_logprobs(torch.randn(512, 8), head, torch.arange(512), torch.arange(512), 4 << 20)
    assert largest <= 4 << 20


def test_bf16_logits_are_computed_in_fp32():
    head = torch.nn.Linear(24, 500, bias=False).to(torch.bfloat16)
    hidden = torch.randn(9, 24, dtype=torch.bfloat16)
    with torch.inference_mode():
        logprobs, _ = target_logprobs(hidden, head, torch.arange(9), torch.arange(9))
        expected = F.log_softmax(hidden.double() @ head.weight.double().T, -1)[torch.arange(9), torch.arange(9)]
    assert_logprobs(logprobs, expected)
