"""Steps, FLOPs, hours and bytes of a run, against figures that are published or counted elsewhere."""

from dataclasses import replace

import pytest

from zoo.arch.gpus import load_gpus
from zoo.arch.parameters import prefill_flops
from zoo.distill.plan.disk import cache_bytes, disk_bytes, trained_tokens
from zoo.distill.plan.setup import Setup
from zoo.distill.plan.time import hours, hours_by_gpu, step_flops
from zoo.distill.recipes import advise, recipe
from zoo.distill.settings import LossSettings, TrainSettings
from zoo.distill.teacher.choose import choose_teacher
from zoo.registry.loader import load_registry

MODELS = load_registry().models


def published(student: str) -> Setup:
    run = recipe(student)
    return Setup(MODELS[student].architecture, MODELS[run.teacher].architecture, advise(run).train)


@pytest.mark.parametrize(
    ("student", "printed", "with_teacher"), [("minitron-8b", 2.5e17, 1.63), ("minitron-4b", 1.2e17, 2.24)]
)
def test_flops_of_a_step_are_those_that_the_paper_prints_and_the_teacher_comes_to_them(student, printed, with_teacher):
    flops = step_flops(published(student))
    own = flops.forward + flops.backward
    assert own == pytest.approx(printed, rel=0.12)  # printed to two digits, how counted is not said
    # 1 + teacher's parameters / 3 × the student's; the embeddings in them, of which the 4B has most, take no FLOPs
    assert flops.model / own == pytest.approx(with_teacher, rel=0.03)


def test_a_backward_pass_costs_two_forward_ones_and_one_through_frozen_weights_a_single_one():
    whole = published("minitron-4b")
    flops, adapted = step_flops(whole), step_flops(replace(whole, lora=8))
    assert flops.backward == 2 * flops.forward
    assert flops.forward < adapted.backward < 1.05 * flops.forward


def test_a_cache_spares_the_teachers_layers_and_samples_its_head_too():
    live = published("llama-3.1-minitron-4b-width")
    flops = [step_flops(replace(live, targets=targets)).teacher for targets in ("live", "exact", "sampled")]
    choice = choose_teacher(live.teacher, live.train.batch * live.train.length, live.train.length, 10**15)
    told = [choice.option(targets).use_flops for targets in ("live", "exact", "sampled")]
    assert flops == pytest.approx(told, rel=1e-6)
    assert flops[0] == live.train.batch * prefill_flops(live.teacher, live.train.length)


def test_recomputing_is_work_that_takes_time_and_that_no_mfu_counts():
    kept = published("minitron-4b")
    again = replace(kept, train=replace(kept.train, checkpoint_activations=True))
    first, second = step_flops(kept), step_flops(again)
    assert (first.recomputed, first.model) == (0, second.model)
    assert second.total == first.total + second.recomputed
    assert hours(again, 1e15) > hours(kept, 1e15)


def test_hours_fall_with_the_gpus_and_the_share_of_their_peak():
    run = published("minitron-8b")
    one, eight = hours(run, 312e12, 0.4), hours(replace(run, processes=8), 312e12, 0.4)
    assert (one / eight, one / hours(run, 312e12, 0.2)) == pytest.approx((8, 0.5))
    flops = run.train.steps * step_flops(run).total
    assert one == pytest.approx(flops / 312e12 / 0.4 / 3600)


def test_every_gpu_of_the_table_has_its_hours_and_none_where_its_peak_is_not_known():
    run = published("minitron-8b")
    table = hours_by_gpu(run)
    assert list(table) == list(load_gpus())
    assert all(table.values())
    slow = replace(run, train=replace(run.train, dtype="float32"))
    assert set(hours_by_gpu(slow).values()) == {None}


def test_a_cache_of_hidden_states_is_42_times_smaller_than_logits_and_a_billion_tokens_are_12_tb():
    exact = replace(published("minitron-8b"), targets="exact")
    assert cache_bytes(exact) == 12 * 1024
    assert 2 * exact.teacher.vocab_size / cache_bytes(exact) == pytest.approx(42, abs=0.5)
    assert disk_bytes(exact, 10**9).cache == 12_288 * 10**9
    assert cache_bytes(replace(exact, targets="sampled", draws=64)) == 260
    assert cache_bytes(replace(exact, targets="live")) == 0
    deep = replace(exact, loss=LossSettings(states=((29, 13),), embedding=True))
    assert cache_bytes(deep) == 3 * 12 * 1024


def test_a_token_is_four_bytes_and_a_checkpoint_fourteen_a_parameter():
    run = Setup(
        MODELS["minitron-4b"].architecture, MODELS["nemotron-4-15b"].architecture, TrainSettings(10, 32, 1024, keep=2)
    )
    disk = disk_bytes(run)
    assert disk.tokens == 4 * trained_tokens(run) == 4 * 10 * 32 * 1024
    assert disk.checkpoint == 14 * run.parameters
    assert disk.checkpoints == 3 * disk.checkpoint + 2 * run.parameters
    assert disk.total == disk.tokens + disk.checkpoints
