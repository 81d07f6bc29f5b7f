"""One step of the optimizer: what it sums, what it divides by, and what it leaves alone where a loss is no number."""

from dataclasses import replace

import pytest
import torch
from support.small_training import SETTINGS, small_rows, small_student, small_teacher

from zoo.distill.batch import counted
from zoo.distill.settings import LossSettings
from zoo.distill.train.objective import Objective
from zoo.distill.train.optimizer import make_optimizer
from zoo.distill.train.parallel import spread
from zoo.distill.train.step import clip, take_step
from zoo.distill.train.world import World
from zoo.errors import ConflictingOptions, LossNotFinite

ALONE = World(torch.device("cpu"))
LOSS = LossSettings(chunk=16)


def one_step(batches, loss=LOSS, settings=SETTINGS, teacher=None, student=None, rate=1e-3):
    """(what the step said, the student's weights after it)"""
    student = student or small_student()
    teacher = teacher or small_teacher()
    width = 48 if loss.states or loss.embedding else None
    torch.manual_seed(0)
    objective = Objective(student, loss, width)
    module = spread(objective, settings, ALONE)
    optimizer = make_optimizer(objective, settings)
    said = take_step(module, optimizer, teacher, batches, settings, ALONE, 0, rate)
    return said, {name: one.detach().clone() for name, one in objective.named_parameters()}


def cut(sizes):
    """The rows 0, 1, 2, … in micro-batches of these sizes."""
    rows, batches, at = small_rows(), [], 0
    for size in sizes:
        batches.append(rows.batch(range(at, at + size)))
        at += size
    return batches


STATES = LossSettings(chunk=16, states=((1, 1), (0, 0)), embedding=True)


@pytest.mark.parametrize("loss", [LOSS, replace(LOSS, clm=0.5), STATES], ids=["kl", "kl and text", "states"])
@pytest.mark.parametrize("sizes", [[1] * 6, [5, 1], [2, 1, 3]])
def test_unequal_micro_batches_are_one_big_batch(loss, sizes):
    teacher = small_teacher((1, 0, -1) if loss.states else ())
    batches = cut(sizes)
    assert len({int(counted(batch).sum()) for batch in batches}) > 1, "the micro-batches count unlike many tokens"
    whole, expected = one_step(cut([6]), loss, teacher=teacher)
    said, weights = one_step(batches, loss, teacher=teacher)
    assert said.tokens == whole.tokens
    for name in ("loss", "divergence", "cross_entropy", "states", "grad_norm"):
        assert getattr(said, name) == pytest.approx(getattr(whole, name), rel=1e-5), name
    for name, weight in weights.items():
        assert torch.allclose(weight, expected[name], atol=2e-5), name


def test_a_mean_of_means_would_have_been_another_loss():
    whole, _ = one_step(cut([6]))
    means = [one_step([batch])[0].loss for batch in cut([5, 1])]
    assert abs(sum(means) / 2 - whole.loss) > 1e-3 * whole.loss


def test_states_weigh_as_much_as_logits():
    said, _ = one_step(cut([2, 3]), STATES, teacher=small_teacher((1, 0, -1)))
    assert said.loss == pytest.approx(2 * said.divergence, rel=1e-5)


def test_a_loss_on_states_without_a_teacher_that_gives_them_is_refused():
    with pytest.raises(ConflictingOptions, match="intermediate states"):
        Objective(small_student(), STATES)


def test_a_batch_in_which_nothing_counts_changes_nothing_but_by_decay():
    batch = cut([1])[0]
    said, _ = one_step([replace(batch, weight=torch.zeros_like(batch.weight))])
    assert (said.tokens, said.loss, said.grad_norm) == (0, 0.0, 0.0)


def test_gradients_are_clipped_to_the_norm():
    module = torch.nn.Linear(3, 3)
    for parameter in module.parameters():
        parameter.grad = torch.full_like(parameter, 2.0)
    norm = clip(module, 1.0)
    assert norm == pytest.approx((12 * 4) ** 0.5)
    assert sum(one.grad.square().sum() for one in module.parameters()).item() == pytest.approx(1.0, rel=1e-4)
    assert clip(module, 0) == pytest.approx(1.0, rel=1e-4)


def test_a_loss_that_is_no_number_moves_no_weight_and_names_step_and_batch():
    teacher = small_teacher()
    rows = small_rows()
    good, bad = rows.batch([0]), rows.batch([1, 2])
    said = teacher.targets

    def poisoned(batch):
        targets = said(batch)
        return replace(targets, hidden=targets.hidden * torch.nan) if batch.rows == (1, 2) else targets

    teacher.targets = poisoned
    student = small_student()
    before = {name: one.detach().clone() for name, one in student.named_parameters()}
    with pytest.raises(LossNotFinite, match=rf"loss of step 1 .*rows 1, 2, digest {bad.digest[:16]}") as raised:
        one_step([good, bad], teacher=teacher, student=student)
    assert good.digest[:16] not in raised.value.what
    assert all(torch.equal(one, before[name]) for name, one in student.named_parameters())


def test_without_a_teacher_the_text_itself_is_learnt():
    batch = cut([3])[0]
    student = small_student()
    logits = student(input_ids=batch.ids, position_ids=batch.positions, use_cache=False).logits[counted(batch)]
    expected = torch.nn.functional.cross_entropy(logits, batch.ids.roll(-1, 1)[counted(batch)]).item()
    objective = Objective(student, replace(LOSS, divergence="reverse_kl", temperature=2.0, clm=0.3))
    total, divergence, cross_entropy, _ = objective(batch, None)
    tokens = int(counted(batch).sum())
    assert total.item() / tokens == pytest.approx(expected, rel=1e-5)
    assert cross_entropy.item() / tokens == pytest.approx(expected, rel=1e-5)
    assert divergence == 0
