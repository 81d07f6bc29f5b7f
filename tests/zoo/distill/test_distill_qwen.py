"""A Qwen2 or Qwen3 student of a teacher of its class: chunked losses, its units, and what a plan counts of it."""

import pytest
import torch
from support.dense_losses import dense_divergence
from support.small_training import losses, run, small_rows
from support.tiny_models import config_of, tiny

from zoo.arch.hf_config import dims_of
from zoo.arch.parameters import count_parameters
from zoo.distill.batch import ExactTargets
from zoo.distill.forward import check_documents_apart
from zoo.distill.heads import head_of
from zoo.distill.losses.chunked import chunked_divergence
from zoo.distill.plan.setup import Setup, layer_parameters, root_parameters
from zoo.distill.settings import LossSettings, TrainSettings
from zoo.distill.teacher.live import LiveTeacher
from zoo.distill.train.parallel import layers_of

QWEN = ["qwen2", "qwen3"]


def pair(family):
    """A student, tied and cut in width, and its teacher."""
    return tiny(family, hidden_size=32, intermediate_size=64, tie_word_embeddings=True), tiny(family)


@pytest.mark.parametrize("family", QWEN)
def test_the_chunked_loss_is_the_dense_one(family):
    student, teacher = pair(family)
    ids = torch.arange(3, 43).view(2, 20)
    outcome = []
    for loss in (dense_divergence, chunked_divergence):
        student.zero_grad()
        hidden, said = (model.model(input_ids=ids, use_cache=False).last_hidden_state for model in (student, teacher))
        targets = ExactTargets(said.detach().flatten(0, 1), head_of(teacher))
        sums = loss(hidden.flatten(0, 1), head_of(student), targets, ids.flatten(), LossSettings(clm=0.5, chunk=7))
        sums.total.backward()
        outcome.append([sums.total.detach(), *(one.grad.clone() for one in student.parameters())])
    for dense, chunked in zip(*outcome, strict=True):
        assert torch.allclose(dense, chunked, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("family", QWEN)
def test_a_layer_is_a_unit_and_the_plan_counts_its_biases_and_norms(family, tmp_path):
    model = tiny(family)
    check_documents_apart(model)
    layers = layers_of(model)
    dims = dims_of(config_of(family).to_dict(), tmp_path)
    assert [sum(one.numel() for one in layer.parameters()) for layer in layers] == [layer_parameters(dims)] * 3
    assert root_parameters(dims) + 3 * layer_parameters(dims) == model.num_parameters()
    setup = Setup(dims, dims, TrainSettings(steps=1, batch=1, length=8))
    assert setup.parameters == count_parameters(dims).total == model.num_parameters()


@pytest.mark.parametrize("family", QWEN)
def test_a_student_learns_from_its_teacher(family, tmp_path):
    student, teacher = pair(family)
    run(tmp_path, student=student, teacher=LiveTeacher(teacher, (), digest="the teacher"), rows=small_rows())
    found = losses(tmp_path)
    assert found[-1] < found[0]
