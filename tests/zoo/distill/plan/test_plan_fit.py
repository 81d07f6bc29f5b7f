"""A run planned for a device: the largest micro-batch, or what would have to change."""

from dataclasses import replace

import pytest

from zoo.distill.plan.fit import USABLE, fit, largest, ways_to_fit
from zoo.distill.plan.host import check_host
from zoo.distill.plan.memory import peak_memory
from zoo.distill.plan.setup import Setup
from zoo.distill.recipes import RUNS, advise, recipe
from zoo.distill.settings import LossSettings, TrainSettings
from zoo.errors import DeviceMemory, InvalidOption
from zoo.registry.loader import load_registry

GB = 10**9
MODELS = load_registry().models
SMALL = Setup(
    MODELS["llama-3.2-1b"].architecture,
    MODELS["llama-3.2-3b"].architecture,
    TrainSettings(steps=1000, batch=64, length=4096),
)
"""A student of 1.2 B and a teacher of 3.2 B parameters."""


def frugal(setup: Setup) -> Setup:
    return replace(setup, train=replace(setup.train, optimizer="adamw-8bit", checkpoint_activations=True))


def test_a_student_of_1_2b_and_a_teacher_of_3b_are_planned_for_24_gb():
    assert largest(SMALL, 24 * GB) is None
    planned = fit(frugal(SMALL), 24 * GB)
    assert planned.memory.total <= 24 * GB * USABLE
    assert planned.memory == peak_memory(planned.setup)
    cached = fit(replace(frugal(SMALL), targets="exact"), 24 * GB)
    assert cached.setup.train.micro > planned.setup.train.micro


def test_the_largest_micro_batch_that_shares_the_rows_evenly_is_chosen():
    chosen = fit(SMALL, 80 * GB).setup.train.micro
    assert 64 % chosen == 0
    assert chosen > 1
    more = [rows for rows in range(chosen + 1, 17) if 64 % rows == 0]
    for rows in more:
        tried = replace(SMALL, train=replace(SMALL.train, micro=rows))
        assert peak_memory(tried).total > 80 * GB * USABLE


def test_the_loss_is_computed_in_smaller_chunks_before_a_run_is_refused():
    tight = frugal(SMALL)
    room = peak_memory(replace(tight, loss=LossSettings(chunk=256))).total / USABLE
    assert fit(tight, int(room) + 1).setup.loss.chunk == 256


def test_what_does_not_fit_is_refused_with_what_would():
    with pytest.raises(DeviceMemory, match="at its peak") as refusal:
        fit(SMALL, 24 * GB)
    assert "(the loss: optimizer 9.9 GB, activations 8.1 GB, teacher 6.4 GB, weights 4.9 GB)" in refusal.value.what
    assert "--checkpoint-activations with --optimizer adamw-8bit" in refusal.value.hint
    assert "--lora 16" in refusal.value.hint
    assert "4 such devices under torchrun" in refusal.value.hint
    assert "--offload and 25.8 GB of the host's memory for each process" in refusal.value.hint


def test_every_way_that_is_named_fits_and_none_of_its_parts_alone():
    ways = ways_to_fit(SMALL, 24 * GB)
    assert ways
    for way in ways:
        assert peak_memory(way.fit.setup).total <= 24 * GB * USABLE
    assert largest(replace(SMALL, train=replace(SMALL.train, checkpoint_activations=True)), 24 * GB) is None
    assert largest(replace(SMALL, train=replace(SMALL.train, optimizer="adamw-8bit")), 24 * GB) is None


def test_weights_on_the_host_are_named_where_there_is_another_memory_for_them():
    def offered(**changes):
        setup = replace(SMALL, train=replace(SMALL.train, **changes))
        return any("--offload" in way.words for way in ways_to_fit(setup, 24 * GB))

    assert offered()
    assert not offered(parallel="ddp")
    assert not offered(offload=True)
    cpu = replace(SMALL, device="cpu")
    assert not any("--offload" in way.words for way in ways_to_fit(cpu, 24 * GB))


def test_a_host_without_room_for_what_is_left_to_it_is_refused():
    offloaded = replace(SMALL, train=replace(SMALL.train, offload=True))
    check_host(offloaded, 64 * GB)
    check_host(SMALL, GB)
    with pytest.raises(DeviceMemory, match=r"leaves 25\.8 GB to the host .*training: weights 4\.9 GB.*24\.0 GB free"):
        check_host(offloaded, 24 * GB)


def test_samples_are_named_only_for_a_loss_that_they_can_serve():
    cached = frugal(replace(SMALL, targets="exact"))
    room = int(largest_room(cached))
    assert any("sampled" in word for way in ways_to_fit(cached, room) for word in way.words)
    reverse = replace(cached, loss=LossSettings(divergence="reverse_kl"))
    assert not any("sampled" in word for way in ways_to_fit(reverse, room) for word in way.words)


def largest_room(setup: Setup) -> float:
    """A device into which the run would fit with samples in place of the teacher's head, and not as it is."""
    least = replace(setup, train=replace(setup.train, micro=1), loss=LossSettings(chunk=128))
    return peak_memory(replace(least, targets="sampled")).total / USABLE + 1


def test_a_device_on_which_nothing_fits_says_so():
    with pytest.raises(DeviceMemory, match="planned with") as refusal:
        fit(replace(SMALL, train=replace(SMALL.train, batch=1)), GB)
    assert "Take shorter rows" in refusal.value.hint
    with pytest.raises(InvalidOption):
        fit(SMALL, 0)


@pytest.mark.parametrize("student", RUNS)
def test_the_published_runs_fit_128_gpus_of_80_gb_with_recomputed_activations(student):
    run = recipe(student)
    train = replace(advise(run).train, checkpoint_activations=True)
    planned = Setup(MODELS[student].architecture, MODELS[run.teacher].architecture, train, processes=128)
    assert fit(planned, 80 * GB).setup.train.micro > 1
