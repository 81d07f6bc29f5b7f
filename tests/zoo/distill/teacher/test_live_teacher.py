"""The teacher in memory: what it says is what the model says, and nothing of it learns."""

import torch

from zoo.distill.batch import counted
from zoo.distill.forward import hidden_states
from zoo.distill.heads import head_of
from zoo.distill.losses.chunked import chunked_divergence
from zoo.distill.settings import LossSettings
from zoo.distill.teacher.live import LiveTeacher, weights_digest


def test_states_and_head_give_the_models_own_logits(live, model, rows):
    batch = rows.batch([0, 3])
    targets = live.targets(batch)
    with torch.no_grad():
        logits = model(input_ids=batch.ids, position_ids=batch.positions, use_cache=False).logits
    assert torch.allclose(targets.hidden @ targets.head.weight.T, logits[counted(batch)], atol=1e-4)


def test_only_counted_positions_are_told(live, rows):
    batch = rows.batch([0, 1, 2])
    assert len(live.targets(batch).hidden) == int(counted(batch).sum()) < batch.ids.numel()


def test_a_teacher_takes_no_gradient_and_drops_nothing_out(live, model):
    assert not any(weight.requires_grad for weight in model.parameters())
    assert not model.training


def test_a_students_loss_can_be_differentiated_against_it(live, student, rows):
    batch = rows.batch([0])
    hidden, _ = hidden_states(student, batch)
    targets = live.targets(batch)
    assert not targets.hidden.is_inference()
    chunked_divergence(hidden[counted(batch)], head_of(student), targets, None, LossSettings()).total.backward()
    gradient = student.get_output_embeddings().weight.grad
    student.zero_grad()
    assert gradient is not None
    assert gradient.abs().sum() > 0


def test_states_of_layers_come_beside_the_last_ones(model, rows):
    batch = rows.batch([1])
    teacher = LiveTeacher(model, layers=(-1, 2), digest="x")
    states = teacher.targets(batch).states
    assert [tuple(state.shape) for state in states] == [(int(counted(batch).sum()), 144)] * 2
    assert not any(state.is_inference() for state in states)


def test_digest_of_weights_in_memory_notices_one_bit(model):
    before = weights_digest(model)
    assert weights_digest(model) == before
    norm = model.model.norm.weight.data
    kept = norm[0].item()
    norm[0] = torch.nextafter(norm[0], torch.tensor(9.0))
    changed = weights_digest(model)
    norm[0] = kept
    assert changed != before
    assert weights_digest(model) == before
    assert LiveTeacher(model).digest == before
