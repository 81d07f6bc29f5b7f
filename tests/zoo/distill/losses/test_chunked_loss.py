"""The chunked loss is the dense formula, gradients included, without ever holding the logits."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.dense_losses import dense_divergence
from torch.overrides import TorchFunctionMode

from zoo.distill.batch import ExactTargets, Head, SampledTargets
from zoo.distill.losses import sweep
from zoo.distill.losses.chunked import chunked_divergence
from zoo.distill.settings import LossSettings
from zoo.errors import ConflictingOptions, OtherVocabulary

TOKENS, VOCABULARY, WIDTH, TEACHER = 23, 67, 8, 12
FORMS = [
    LossSettings(),
    LossSettings(temperature=2.0),
    LossSettings(clm=0.7),
    LossSettings(temperature=0.5, clm=0.7),
    LossSettings("reverse_kl"),
    LossSettings("reverse_kl", temperature=2.0, clm=0.7),
]


def drawn(dtype=torch.float32, *, tokens=TOKENS, vocabulary=VOCABULARY, bias=False, seed=0, **form):
    """(hidden, head, targets, labels), gradients asked of hidden, weight and bias."""
    make = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=make, dtype=torch.float64).to(dtype)

    hidden = normal(tokens, WIDTH).requires_grad_()
    own = normal(vocabulary).requires_grad_() if bias else None
    head = Head(normal(vocabulary, WIDTH).requires_grad_(), own, **form)
    said = Head(normal(vocabulary, TEACHER), normal(vocabulary) if bias else None, **form)
    labels = torch.randint(vocabulary, (tokens,), generator=make)
    return hidden, head, ExactTargets(normal(tokens, TEACHER), said), labels


def sampled(tokens=TOKENS, vocabulary=VOCABULARY, k=5):
    """Targets in which ids may come twice."""
    make = torch.Generator().manual_seed(1)
    weights = torch.rand(tokens, k, generator=make)
    ids = torch.randint(vocabulary, (tokens, k), generator=make)
    return SampledTargets(ids, weights / weights.sum(-1, keepdim=True), torch.rand(tokens, generator=make))


def outcome(loss, hidden, head, targets, labels, form, factor=1.0):
    """(total, divergence, cross-entropy, gradients)."""
    sums = loss(hidden, head, targets, labels, form)
    reached = [part for part in (hidden, head.weight, head.bias) if part is not None]
    return [
        sums.total.detach(),
        sums.divergence,
        sums.cross_entropy,
        *torch.autograd.grad(sums.total * factor, reached),
    ]


def assert_equal(found, wanted, relative):
    for mine, plain in zip(found, wanted, strict=True):
        assert mine.dtype == plain.dtype
        assert (mine - plain).abs().max() <= relative * plain.abs().max().clamp_min(1e-3)


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    "head", [{}, {"bias": True}, {"scale": 0.4}, {"softcap": 3.0}, {"bias": True, "softcap": 3.0, "scale": 0.4}]
)
def test_loss_and_gradients_are_those_of_the_dense_formula(form, dtype, head):
    given = drawn(dtype, **head)
    for chunk in (1, 7, 1024):
        asked = replace(form, chunk=chunk)
        wanted = outcome(dense_divergence, *given, form, factor=0.3)
        assert_equal(
            outcome(chunked_divergence, *given, asked, factor=0.3), wanted, 3e-6 if dtype == torch.float32 else 1e-13
        )


@pytest.mark.parametrize("form", [LossSettings(chunk=4), LossSettings(clm=0.7, temperature=2.0, chunk=4)], ids=str)
def test_loss_against_a_sample_is_its_cross_entropy_less_the_teachers_entropy(form):
    hidden, head, _, labels = drawn(bias=True)
    given = hidden, head, sampled(), labels
    assert_equal(outcome(chunked_divergence, *given, form), outcome(dense_divergence, *given, form), 3e-6)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 40), st.integers(2, 300), st.integers(1, 50), st.sampled_from(FORMS), st.integers(0, 10_000),
    st.floats(0.1, 3.0), st.none() | st.floats(1.0, 50.0),
)  # fmt: skip
def test_any_shape_and_chunk_agrees_with_the_dense_formula(tokens, vocabulary, chunk, form, seed, scale, softcap):
    given = drawn(
        torch.float64, tokens=tokens, vocabulary=vocabulary, seed=seed, bias=True, scale=scale, softcap=softcap
    )
    wanted = outcome(dense_divergence, *given, form)
    assert_equal(outcome(chunked_divergence, *given, replace(form, chunk=chunk)), wanted, 1e-10) if tokens else None


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_gradients_agree_with_finite_differences(form):
    hidden, head, targets, labels = drawn(torch.float64, tokens=5, vocabulary=11, bias=True, softcap=4.0, scale=0.6)

    def total(hidden, weight, bias):
        own = replace(head, weight=weight, bias=bias)
        return chunked_divergence(hidden, own, targets, labels, replace(form, chunk=2)).total

    assert torch.autograd.gradcheck(total, (hidden, head.weight, head.bias))


def test_gradients_against_a_sample_agree_with_finite_differences():
    hidden, head, _, labels = drawn(torch.float64, tokens=5, vocabulary=11)
    targets = sampled(5, 11)

    def total(hidden, weight):
        return chunked_divergence(hidden, Head(weight), targets, labels, LossSettings(clm=0.5, chunk=2)).total

    assert torch.autograd.gradcheck(total, (hidden, head.weight))


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_expected_loss_and_gradient_over_all_draws_are_those_of_forward_kl(temperature):
    hidden, head, targets, labels = drawn(torch.float64, tokens=1, vocabulary=9)
    form = LossSettings(temperature=temperature, clm=0.5)
    wanted = outcome(chunked_divergence, hidden, head, targets, labels, form)
    likely = torch.softmax(targets.hidden @ targets.head.weight.T / temperature, -1)[0]
    entropy = torch.special.entr(likely).sum()[None]
    expected = [torch.zeros_like(part) for part in wanted]
    for token, probability in enumerate(likely):
        draw = SampledTargets(torch.tensor([[token]]), torch.ones(1, 1), entropy)
        for kept, part in zip(expected, outcome(chunked_divergence, hidden, head, draw, labels, form), strict=True):
            kept += probability * part
    assert_equal(expected, wanted, 1e-12)


def test_equal_distributions_cost_nothing():
    hidden, head, _, _ = drawn(torch.float64)
    targets = ExactTargets(hidden.detach(), Head(head.weight.detach()))
    for divergence in ("forward_kl", "reverse_kl"):
        _, cost, _, on_hidden, on_weight = outcome(
            chunked_divergence, hidden, head, targets, None, LossSettings(divergence)
        )
        assert max(part.abs().max() for part in (cost, on_hidden, on_weight)) < 1e-13


def test_unequal_micro_batches_add_up_to_one_big_batch():
    hidden, head, targets, labels = drawn(torch.float64)
    form = LossSettings(clm=0.3)
    whole = outcome(chunked_divergence, hidden, head, targets, labels, form, factor=1 / TOKENS)
    on_weight = torch.zeros_like(head.weight)
    for part in (slice(0, 2), slice(2, 17), slice(17, TOKENS)):
        some = replace(targets, hidden=targets.hidden[part])
        sums = chunked_divergence(hidden[part], head, some, labels[part], form)
        assert sums.tokens == part.stop - part.start
        on_weight += torch.autograd.grad(sums.total / TOKENS, head.weight)[0]
    assert_equal([on_weight], [whole[4]], 1e-13)


def test_gradient_of_a_tied_head_is_added_to_the_embeddings():
    hidden, head, targets, _ = drawn(torch.float64)
    ids = torch.arange(TOKENS) % 5
    found = []
    for loss in (chunked_divergence, dense_divergence):
        table = head.weight.detach().requires_grad_()
        loss(hidden + table[ids], Head(table), targets, None, LossSettings()).total.backward()
        found.append(table.grad)
    assert_equal(found[:1], found[1:], 1e-13)


def test_logits_are_never_whole():
    hidden, head, targets, labels = drawn(tokens=64, vocabulary=500)
    largest = 0

    class Watch(TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            nonlocal largest
            made = func(*args, **(kwargs or {}))
            largest = max(largest, made.numel() if isinstance(made, torch.Tensor) else 0)
            return made

    with Watch():
        chunked_divergence(hidden, head, targets, labels, LossSettings(clm=1.0, chunk=8)).total.backward()
    assert largest == 500 * max(WIDTH, TEACHER)


def test_half_precision_has_softmax_and_sums_in_full():
    given = drawn(torch.bfloat16, tokens=600)
    exact = drawn(torch.bfloat16, tokens=600)
    as_64 = [exact[0].detach().double().requires_grad_(), Head(exact[1].weight.detach().double().requires_grad_())]
    said = ExactTargets(exact[2].hidden.double(), Head(exact[2].head.weight.double()))
    wanted = outcome(dense_divergence, *as_64, said, None, LossSettings())
    found = outcome(chunked_divergence, *given[:3], None, LossSettings())
    plain = outcome(dense_divergence, *given[:3], None, LossSettings())
    assert [part.dtype for part in found] == [torch.float32] * 3 + [torch.bfloat16] * 2
    for mine, theirs, true in zip(found[3:], plain[3:], wanted[3:], strict=True):
        assert (mine - true).norm() <= 1.2 * (theirs - true).norm()
    assert abs(found[0] / wanted[0] - 1) < 1e-3


def test_autocast_computes_in_its_dtype_and_keeps_gradients_in_the_weights_own():
    hidden, head, targets, labels = drawn()
    low = ExactTargets(targets.hidden, Head(targets.head.weight))
    wanted = outcome(chunked_divergence, hidden, head, low, labels, LossSettings())
    with torch.autocast("cpu", torch.bfloat16):
        found = outcome(chunked_divergence, hidden, head, low, labels, LossSettings())
    assert_equal(found, wanted, 0.02)
    assert not torch.equal(found[4], wanted[4])


def test_stripes_of_a_heads_gradient_cover_it(monkeypatch):
    hidden, head, targets, labels = drawn()
    with torch.autocast("cpu", torch.bfloat16):
        whole = outcome(chunked_divergence, hidden, head, targets, labels, LossSettings())
        monkeypatch.setattr(sweep, "STRIPE", 10)
        assert_equal(outcome(chunked_divergence, hidden, head, targets, labels, LossSettings()), whole, 1e-6)


def test_frozen_head_gets_no_gradient():
    hidden, head, targets, _ = drawn()
    frozen = Head(head.weight.detach())
    chunked_divergence(hidden, frozen, targets, None, LossSettings()).total.backward()
    assert hidden.grad is not None
    assert frozen.weight.grad is None


def test_without_gradient_the_value_is_the_same():
    given = drawn()
    with torch.no_grad():
        sums = chunked_divergence(*given, LossSettings())
    assert not sums.total.requires_grad
    assert torch.equal(sums.total, chunked_divergence(*given, LossSettings()).total)


def test_second_backward_pass_is_refused_and_never_wrong():
    total = chunked_divergence(*drawn(), LossSettings()).total / 2
    total.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="inplace"):
        total.backward()


def test_no_tokens_cost_nothing():
    hidden, head, targets, labels = drawn(tokens=0)
    sums = chunked_divergence(hidden, head, targets, labels, LossSettings(clm=1.0))
    sums.total.backward()
    assert (sums.total, sums.tokens) == (0, 0)
    assert head.weight.grad.count_nonzero() == 0


def test_nan_in_the_states_is_nan_in_the_loss():
    hidden, head, targets, labels = drawn()
    with torch.no_grad():
        hidden[3, 0] = float("nan")
    assert chunked_divergence(hidden, head, targets, labels, LossSettings()).total.isnan()


def test_other_vocabulary_is_refused():
    hidden, _, targets, _ = drawn()
    with pytest.raises(OtherVocabulary, match="66"):
        chunked_divergence(hidden, Head(torch.zeros(66, WIDTH)), targets, None, LossSettings())


def test_reverse_kl_of_a_sample_is_refused():
    hidden, head, _, _ = drawn()
    with pytest.raises(ConflictingOptions, match="sample"):
        chunked_divergence(hidden, head, sampled(), None, LossSettings("reverse_kl"))


def test_share_of_the_text_without_labels_is_refused():
    hidden, head, targets, _ = drawn()
    with pytest.raises(ConflictingOptions, match="labels"):
        chunked_divergence(hidden, head, targets, None, LossSettings(clm=0.1))


def test_targets_of_other_tokens_are_no_silent_matter():
    hidden, head, targets, _ = drawn()
    with pytest.raises(ValueError, match="row"):
        chunked_divergence(hidden[1:], head, targets, None, LossSettings())
