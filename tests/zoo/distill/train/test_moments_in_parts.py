"""Moments that are no plain tensors, as torchao's of eight bits: codes and scales are stored, and never cut into rows."""

import pytest
import torch
from torch.testing._internal.two_tensor import TwoTensor

from zoo.distill.train.saving import state
from zoo.distill.train.saving.state import file_name, read_state, write_state
from zoo.distill.train.world import World
from zoo.errors import InvalidTraining

ALONE = World(torch.device("cpu"))


@pytest.fixture
def made(monkeypatch):
    """A function from a number to a module and an optimizer whose one moment is two tensors full of it."""
    monkeypatch.setattr(state, "fill_state", lambda _optimizer: None)

    def make(value):
        module = torch.nn.Linear(4, 4, bias=False)
        optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
        parts = TwoTensor(torch.full((4, 4), value), torch.full((4, 4), -value))
        optimizer.state[module.weight]["exp_avg"] = parts
        return module, optimizer, parts

    return make


def test_they_come_back_part_by_part(tmp_path, made):
    module, optimizer, _ = made(3.0)
    write_state(module, optimizer, tmp_path, ALONE)
    other, its_optimizer, parts = made(0.0)
    read_state(other, its_optimizer, tmp_path, ALONE, ranks=1, shards=1)
    assert parts.a.eq(3).all()
    assert parts.b.eq(-3).all()
    assert torch.equal(other.weight, module.weight)


def test_another_number_of_processes_cannot_go_on_with_them(tmp_path, made):
    module, optimizer, _ = made(3.0)
    write_state(module, optimizer, tmp_path, ALONE)
    (tmp_path / file_name(0, 1)).rename(tmp_path / file_name(0, 2))
    (tmp_path / file_name(1, 2)).write_bytes((tmp_path / file_name(0, 2)).read_bytes())
    with pytest.raises(InvalidTraining, match="written by 2 processes and cannot be cut anew"):
        read_state(module, optimizer, tmp_path, ALONE, ranks=2, shards=2)


def test_a_tensor_that_is_not_there_is_named(tmp_path, made):
    module, optimizer, _ = made(3.0)
    write_state(torch.nn.Linear(4, 4, bias=False), torch.optim.SGD([module.weight], lr=0.1), tmp_path, ALONE)
    with pytest.raises(InvalidTraining, match=r"cannot be read.*exp_avg"):
        read_state(module, optimizer, tmp_path, ALONE, ranks=1, shards=1)
