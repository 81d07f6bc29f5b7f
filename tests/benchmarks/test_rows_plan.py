"""Which rows gpu_rows measures, in which order, and what it leaves out: arithmetic over the registry."""

import pytest

from benchmarks.rows.card import Card
from benchmarks.rows.family import family_of, models_of
from benchmarks.rows.plan import ORDER, Conditions, LeftOut, Step, plan_of
from zoo.arch.parameters import count_parameters
from zoo.errors import InvalidOption, MinizooError, UnknownModel, UnsupportedArchitecture
from zoo.registry.loader import load_registry

REGISTRY = load_registry()
PAIRS = [
    "minitron-4b against minitron-8b",
    "llama-3.1-minitron-4b-width against llama-3.1-8b",
    "llama-3.1-minitron-4b-depth against llama-3.1-8b",
    "mistral-nemo-minitron-8b against mistral-nemo-12b",
    "minitron-8b against nemotron-4-15b",
]
SMALL_FIRST = [
    "minitron-4b",
    "llama-3.1-minitron-4b-width",
    "llama-3.1-minitron-4b-depth",
    "llama-3.1-8b",
    "minitron-8b",
    "mistral-nemo-minitron-8b",
    "mistral-nemo-12b",
    "nemotron-4-15b",
]
RTX = Card(
    device="cuda:0", product="NVIDIA GeForce RTX 4090", capability="8.9", memory=25_757_220_864, free=25_300_000_000
)
H200 = Card(device="cuda:0", product="NVIDIA H200", capability="9.0", memory=150_000_000_000, free=149_500_000_000)


def plan(family, card, words=ORDER):
    return plan_of(family, words, Conditions(card.room, "bfloat16"))


@pytest.fixture(scope="module")
def minitron():
    return family_of(REGISTRY, "minitron")


def test_the_family_are_the_published_base_models_that_were_cut_each_with_what_it_was_cut_from(minitron):
    assert [f"{child.id} against {parent.id}" for child, parent in minitron.pairs] == PAIRS
    assert [model.id for model in minitron.models] == SMALL_FIRST
    assert minitron.alone == ()
    nano = family_of(REGISTRY, "nano")
    assert {(child.id, parent.id) for child, parent in nano.pairs} == {
        (name, "nano-teacher") for name in ("nano-width-pruned", "nano-depth-pruned", "nano-width", "nano-depth")
    }


def test_the_most_telling_rows_come_first(minitron):
    found = plan(minitron, H200)
    assert found.left_out == ()
    assert [entry.name for entry in found.entries] == [
        *(f"{pair}, batch1 at batch 1" for pair in PAIRS),
        "minitron-4b, scoring",
        *(f"{pair}, chat at batch {batch}" for batch in (1, 8, 32) for pair in PAIRS),
        *(f"{model}, offline" for model in SMALL_FIRST),
        *(f"{model}, scoring" for model in SMALL_FIRST[1:]),
    ]


def test_where_no_pair_fits_each_model_that_does_is_measured_alone_and_the_rest_is_said_with_its_gigabytes(minitron):
    found = plan(minitron, RTX, ["batch1"])
    assert [entry.name for entry in found.entries] == [
        f"{model}, batch1 at batch 1"
        for model in (
            "minitron-4b",
            "minitron-8b",
            "llama-3.1-minitron-4b-width",
            "llama-3.1-8b",
            "llama-3.1-minitron-4b-depth",
            "mistral-nemo-minitron-8b",
        )
    ]
    told = [str(one) for one in found.left_out]
    assert len(told) == 7
    assert [line.split(",")[0] for line in told] == [*PAIRS[:4], "mistral-nemo-12b", PAIRS[4], "nemotron-4-15b"]
    assert told[3] == (
        "mistral-nemo-minitron-8b against mistral-nemo-12b, batch1 at batch 1: weights and caches take 41.4 GB, "
        "and 23.8 GB are there for them"
    )


def test_what_a_step_needs_is_weights_and_caches_of_all_that_is_loaded_together(minitron):
    both = plan(minitron, H200, ["chat"]).entries[5]
    assert (both.model, both.against, both.batch) == ("minitron-4b", "minitron-8b", 8)
    weights = sum(2 * count_parameters(REGISTRY.models[name].architecture).total for name in (both.model, both.against))
    a_token = 2 * 2 * 32 * 8 * 128  # K and V of two bytes: 32 layers, 8 heads of 128 channels, in either model
    assert both.needs == weights + 2 * 8 * (512 + 128) * a_token


def test_room_is_what_is_free_less_what_context_and_activations_take():
    assert RTX.room == 25_300_000_000 - 1_500_000_000
    assert H200.room == 149_500_000_000 - 6_000_000_000
    assert H200.model_copy(update={"free": None}).room is None


def test_a_sweep_doubles_until_the_memory_ends_it(minitron):
    sweep = plan(minitron, RTX, ["offline"]).entries[0]
    *fits, last = sweep.steps()
    assert [step.batch for step in fits] == [2**power for power in range(len(fits))]
    assert isinstance(last, LeftOut)
    assert fits[-1].needs <= RTX.room < sweep.conditions.needs(sweep.model, 2 * fits[-1].batch, 256)


def test_a_sweep_on_a_card_that_tells_no_memory_is_ended_by_what_it_measures(minitron):
    steps = list(plan(minitron, RTX.model_copy(update={"free": None}), ["offline"]).entries[0].steps())
    assert all(isinstance(step, Step) for step in steps)
    assert steps[-1].batch == 65_536


def test_a_request_longer_than_the_context_is_left_out_and_said():
    found = plan(family_of(REGISTRY, "nano"), H200, ["chat", "batch1"])
    assert str(found.left_out[0]) == (
        "nano-width-pruned against nano-teacher, chat at batch 1: a request has 640 tokens, more than the context"
    )
    assert {entry.workload for entry in found.entries} == {"batch1"}


def test_named_models_bring_what_they_were_cut_from_and_any_other_stands_alone():
    found = plan(models_of(REGISTRY, ["nano-depth-pruned", "gemma-2-9b"]), H200, ["batch1"])
    assert [entry.name for entry in found.entries] == [
        "nano-depth-pruned against nano-teacher, batch1 at batch 1",
        "gemma-2-9b, batch1 at batch 1",
    ]
    names = ["nano-width-pruned", "nano-teacher", "nano-width-pruned"]
    assert [entry.name for entry in plan(models_of(REGISTRY, names), H200, ["batch1"]).entries] == [
        "nano-width-pruned against nano-teacher, batch1 at batch 1"
    ]


@pytest.mark.parametrize(
    ("names", "cause"),
    [
        (["minitron-9b"], UnknownModel),
        (["nemotron-h-8b"], UnsupportedArchitecture),
        (["minitron-8b-fp8"], UnsupportedArchitecture),
    ],
)
def test_models_without_random_weights_are_refused(names, cause):
    with pytest.raises(cause):
        models_of(REGISTRY, names)


@pytest.mark.parametrize(
    "text",
    [
        "shapes: [{input: 8, output: 8}]\nrates: [2.0]",
        "shapes: [{input: 8, output: 8}, {input: 9, output: 8}]\nbatches: sweep",
    ],
)
def test_workloads_that_have_no_steps_are_refused(minitron, tmp_path, text):
    path = tmp_path / "mine.yaml"
    path.write_text(f"name: mine\n{text}\n", "utf-8")
    with pytest.raises(InvalidOption, match="mine"):
        plan(minitron, H200, [str(path)])


def test_an_unknown_workload_is_refused_with_the_closest(minitron):
    with pytest.raises(MinizooError, match="batch1"):
        plan(minitron, H200, ["batch2"])
