"""How a budget is written, and what is said of one that is not."""

import pytest

from zoo.arch.dims import Dense
from zoo.errors import InvalidBudget
from zoo.registry.loader import load_registry
from zoo.search.budget import Budget, parse_budget
from zoo.search.costs import costs_of, load_of

MISTRAL = load_registry().models["mistral-nemo-12b"].architecture


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("params=50%", Budget("params", "params=50%", share=0.5)),
        ("params=8.4B", Budget("params", "params=8.4B", amount=8.4e9)),
        ("params=692_136", Budget("params", "params=692_136", amount=692136)),
        ("params=4.2e9", Budget("params", "params=4.2e9", amount=4.2e9)),
        ("memory=20GB@8192x1", Budget("memory", "memory=20GB@8192x1", amount=20e9, context=8192)),
        ("memory=2 GiB@128 x 4", Budget("memory", "memory=2 GiB@128 x 4", amount=2 * 2**30, context=128, batch=4)),
        (
            "memory=70%@8192×2:weights=int4,kv=float8",
            Budget("memory", "memory=70%@8192×2:weights=int4,kv=float8", None, 0.7, 2, 8192, None, "int4", "float8"),
        ),
        ("latency=12ms@h200", Budget("latency", "latency=12ms@h200", amount=12e-3, device="h200")),
        ("latency=900us@cpu", Budget("latency", "latency=900us@cpu", amount=9e-4, device="cpu")),
        (
            "latency=60%@H100:batch=8,context=4096",
            Budget("latency", "latency=60%@H100:batch=8,context=4096", None, 0.6, 8, 4096, "h100-sxm"),
        ),
    ],
)
def test_a_budget_says_kind_amount_and_place(text, expected):
    found = parse_budget(text)
    assert found.amount == pytest.approx(expected.amount) if expected.amount else found.amount is None
    assert {**vars(found), "amount": 0} == {**vars(expected), "amount": 0}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is no budget"),
        ("50%", "is no budget"),
        ("param=50%", "Did you mean params?"),
        ("params=", "is no amount"),
        ("params=abc", "is no amount"),
        ("params=-5", "is no amount"),
        ("params=0", "leaves nothing"),
        ("params=120%", "pruning only shrinks"),
        ("params=8GB", "no unit of params"),
        ("params=8B@h100", "which is nowhere"),
        ("params=8B:batch=2", "no setting of params"),
        ("memory=20GB", "of which context and batch"),
        ("memory=20GB@8192", "of which context and batch"),
        ("memory=20GB@0x1", "no number of 1 or more"),
        ("memory=20ms@8192x1", "no unit of memory"),
        ("memory=20GB@8192x1:weights=int3", "is no dtype"),
        ("latency=5ms", "on which GPU"),
        ("latency=5ms@h99", "no figures of a GPU"),
        ("latency=5ms@h100:batch=0", "no number of 1 or more"),
        ("latency=5ms@h100:batch=1,batch=2", "no setting of latency"),
        ("latency=1e999s@h100", "leaves nothing"),
    ],
)
def test_what_is_no_budget_is_refused_with_the_grammar(text, says):
    with pytest.raises(InvalidBudget) as raised:
        parse_budget(text)
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)


def test_memory_is_the_weights_and_the_caches_of_the_batch():
    assert isinstance(MISTRAL, Dense)
    costs = costs_of(parse_budget("memory=20GB@8192x3"), MISTRAL, 0.05)
    assert costs.parent == 2 * 12_247_782_400 + 3 * 8192 * 160 * 1024
    assert (costs.is_within(20.9e9), costs.is_within(21.1e9)) == (True, False)


def test_a_share_is_of_what_the_parent_costs():
    costs = costs_of(parse_budget("params=50%"), MISTRAL, 0.05)
    assert costs.wanted == 12_247_782_400 / 2


def test_a_context_that_the_parent_has_not_is_refused():
    parent = MISTRAL.model_copy(update={"max_context": 4096})
    with pytest.raises(InvalidBudget, match="a context of 8,192 tokens, and the parent has 4,096"):
        load_of(parse_budget("latency=5ms@h100:context=8192"), parent)
    assert load_of(parse_budget("latency=5ms@h100"), parent).context == 4095
