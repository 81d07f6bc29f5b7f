"""A teacher's cache: what it gives back is what the teacher said, whatever the batch and however it was made."""

from dataclasses import replace

import pytest
import torch

from zoo.distill.batch import SampledTargets, counted
from zoo.distill.forward import hidden_states
from zoo.distill.heads import head_of
from zoo.distill.losses.chunked import chunked_divergence
from zoo.distill.settings import LossSettings
from zoo.distill.teacher.cache.manifest import Exact, Sampled, read_manifest
from zoo.distill.teacher.cache.reader import CachedTeacher, check_cache
from zoo.distill.teacher.cache.writer import Making, write_cache
from zoo.distill.teacher.live import LiveTeacher

EXACT = Exact(dtype="float32")
SAMPLED = Sampled(k=6, seed=3)
ALL = range(12)
SMALL = Making(micro=2, shard_bytes=48 * 144 * 4 * 3)
"""Three rows of an exact cache a file."""


class Counting:
    """A teacher that counts its rows, and may break down after some batches."""

    def __init__(self, live: LiveTeacher, batches: int | None = None) -> None:
        self.live, self.left, self.rows = live, batches, []

    def __getattr__(self, name):
        return getattr(self.live, name)

    def targets(self, batch):
        if self.left == 0:
            raise KeyboardInterrupt
        self.left = None if self.left is None else self.left - 1
        self.rows += batch.rows
        return self.live.targets(batch)


def loss_of(student, batch, targets):
    hidden, _ = hidden_states(student, batch)
    return chunked_divergence(hidden[counted(batch)], head_of(student), targets, None, LossSettings())


def test_an_exact_cache_gives_the_live_teachers_losses(live, student, rows, told, folder):
    write_cache(folder, told(EXACT), live, ALL, rows.batch, SMALL)
    cached = CachedTeacher(folder, told(EXACT))
    for numbers in ([0], [5, 2, 11], [7, 8]):
        batch = rows.batch(numbers)
        one, other = (loss_of(student, batch, teacher.targets(batch)) for teacher in (live, cached))
        assert other.total.item() == pytest.approx(one.total.item(), rel=1e-5)
        gradients = [torch.autograd.grad(sums.total, student.model.norm.weight)[0] for sums in (one, other)]
        assert torch.allclose(*gradients, rtol=1e-5, atol=1e-6)


def test_hidden_states_come_back_bit_for_bit(live, rows, told, folder):
    write_cache(folder, told(EXACT), live, ALL, rows.batch, replace(SMALL, micro=1))
    batch = rows.batch([4])
    cached = CachedTeacher(folder).targets(batch)
    said = live.targets(batch)
    assert torch.equal(cached.hidden, said.hidden)
    assert torch.equal(cached.head.weight, said.head.weight)
    assert (cached.head.scale, cached.head.softcap, cached.head.bias) == (1.0, None, None)


def test_bfloat16_is_kept_as_bfloat16(model, rows, told, folder):
    import copy

    half = LiveTeacher(torch.nn.Module.to(copy.deepcopy(model), torch.bfloat16), digest="half")
    form = Exact(dtype="bfloat16")
    made = write_cache(folder, told(form, half), half, [3], rows.batch)
    cached = CachedTeacher(folder).targets(rows.batch([3]))
    assert cached.hidden.dtype == cached.head.weight.dtype == torch.bfloat16
    assert torch.equal(cached.hidden, half.targets(rows.batch([3])).hidden)
    assert made.positions * 144 * 2 < made.bytes < made.positions * 144 * 2 + 1000


def test_states_of_layers_are_kept_with_the_last_ones(model, rows, told, folder):
    teacher = LiveTeacher(model, layers=(-1, 3), digest="of the nano teacher")
    form = Exact(dtype="float32", layers=(-1, 3))
    write_cache(folder, told(form, teacher), teacher, [1, 2], rows.batch)
    batch = rows.batch([2, 1])
    for kept, said in zip(CachedTeacher(folder).targets(batch).states, teacher.targets(batch).states, strict=True):
        assert torch.allclose(kept, said, atol=1e-5)


@pytest.mark.parametrize("draw", ["threshold", "independent"])
def test_samples_of_a_row_are_the_same_whatever_the_batch(live, rows, told, folder, draw):
    form = Sampled(k=6, seed=3, draw=draw)
    write_cache(folder / "one", told(form), live, ALL, rows.batch, Making(micro=1))
    write_cache(folder / "four", told(form), live, reversed(ALL), rows.batch, Making(micro=4, shard_bytes=1))
    one, four = (CachedTeacher(folder / name, told(form)) for name in ("one", "four"))
    batch = rows.batch([9, 0, 4])
    said, again = one.targets(batch), four.targets(batch)
    assert isinstance(said, SampledTargets)
    assert torch.equal(said.ids, again.ids)
    assert torch.allclose(said.weights, again.weights, atol=1e-5)  # as far as the hidden states are the same
    alone = one.targets(rows.batch([0]))
    begin = int(counted(rows.batch([9])).sum())
    assert torch.equal(said.ids[begin : begin + len(alone.ids)], alone.ids)


def test_another_seed_draws_other_tokens(live, rows, told, folder):
    found = []
    for seed in (1, 2):
        form = Sampled(k=6, seed=seed)
        write_cache(folder / str(seed), told(form), live, [0], rows.batch)
        found.append(CachedTeacher(folder / str(seed)).targets(rows.batch([0])).ids)
    assert not torch.equal(*found)


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_losses_from_samples_are_those_of_the_live_teacher_on_average(live, student, rows, told, folder, temperature):
    batch, settings = rows.batch([1, 6]), LossSettings(temperature=temperature)
    hidden = hidden_states(student, batch)[0][counted(batch)].detach()

    def divergence(targets):
        return chunked_divergence(hidden, head_of(student), targets, None, settings).divergence.item() / len(hidden)

    exact = divergence(live.targets(batch))
    draws = []
    for seed in range(24):
        write_cache(
            folder / str(seed), told(Sampled(k=6, seed=seed, temperature=temperature)), live, [1, 6], rows.batch
        )
        draws.append(divergence(CachedTeacher(folder / str(seed)).targets(batch)))
    error = torch.tensor(draws).std().item() / len(draws) ** 0.5
    assert abs(sum(draws) / len(draws) - exact) < 4 * error < 0.2 * exact
    write_cache(folder / "all", told(Sampled(k=768, temperature=temperature)), live, [1, 6], rows.batch)
    assert divergence(CachedTeacher(folder / "all").targets(batch)) == pytest.approx(exact, rel=1e-4)


def test_a_sampled_position_takes_four_bytes_a_token_and_four_of_entropy_and_no_head_is_kept(live, rows, told, folder):
    made = write_cache(folder, told(SAMPLED), live, ALL, rows.batch)
    assert made.positions * 4 * 7 < made.bytes < made.positions * 4 * 7 + 1000
    assert not (folder / "head.safetensors").exists()
    hidden = CachedTeacher(folder).targets(rows.batch([2]))
    assert hidden.weights.sum(1).tolist() == pytest.approx([1] * len(hidden.weights))


def test_what_was_made_before_an_interruption_is_not_made_again(live, rows, told, folder):
    first = Counting(live, batches=5)
    with pytest.raises(KeyboardInterrupt):
        write_cache(folder, told(EXACT), first, ALL, rows.batch, SMALL)
    assert len(first.rows) == 8  # two files of three, and two rows of the next
    assert read_manifest(folder).made is None
    CachedTeacher(folder).check_rows(range(6))
    second = Counting(live)
    made = write_cache(folder, told(EXACT), second, ALL, rows.batch, SMALL)
    assert second.rows == list(range(6, 12))
    assert (made.rows, made.files) == (12, 4)
    assert read_manifest(folder).made == made
    check_cache(folder)
    write_cache(folder.parent / "at once", told(EXACT), live, ALL, rows.batch, SMALL)
    for file in folder.glob("*.*"):
        assert file.read_bytes() == (folder.parent / "at once" / file.name).read_bytes(), file.name


def test_a_finished_cache_asks_the_teacher_nothing(live, rows, told, folder):
    write_cache(folder, told(SAMPLED), live, ALL, rows.batch)
    again = Counting(live)
    write_cache(folder, told(SAMPLED), again, ALL, rows.batch)
    assert again.rows == []


def test_more_rows_may_be_added_later(live, rows, told, folder):
    write_cache(folder, told(SAMPLED), live, [0, 5, 6], rows.batch)
    more = Counting(live)
    made = write_cache(folder, told(SAMPLED), more, [4, 5, 7], rows.batch)
    assert more.rows == [4, 7]
    assert made.rows == 5
    CachedTeacher(folder).targets(rows.batch([7, 0, 4, 6]))


def test_what_a_killed_process_left_is_removed(live, rows, told, folder):
    folder.mkdir()
    left = folder / ".rows-0000000000.safetensors.x7_f2"
    others = folder / ".rows-0000000011.safetensors.abcd"
    left.touch()
    others.touch()
    write_cache(folder, told(SAMPLED), live, range(4), rows.batch)
    assert not left.exists()
    assert others.exists(), "another process may be writing it"


def test_processes_that_share_the_rows_make_one_cache(live, rows, told, folder):
    shares = [Counting(live) for _ in range(3)]
    for number, teacher in enumerate(shares):
        made = write_cache(folder, told(EXACT), teacher, ALL, rows.batch, replace(SMALL, share=(number, 3)))
    assert [len(teacher.rows) for teacher in shares] == [4, 4, 4]
    assert made.rows == 12
    CachedTeacher(folder).check_rows(ALL)
    check_cache(folder)


def test_progress_counts_rows_from_those_that_are_there(live, rows, told, folder):
    write_cache(folder, told(EXACT), live, range(3), rows.batch, SMALL)
    seen = []
    write_cache(folder, told(EXACT), live, ALL, rows.batch, SMALL, lambda *step: seen.append(step[1:]))
    assert seen == [(6, 12), (9, 12), (12, 12)]
