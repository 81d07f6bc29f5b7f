"""What this machine itself reaches is measured where the steps are: on a buffer of their size, in their dtype."""

import pytest
import torch
from support.speed_fakes import FakeBackend, fake_system, point

from harness.speed import measure, rates
from harness.speed.rates import LARGEST, SMALLEST, measure_rates
from zoo.registry.loader import load_registry

DIMS = load_registry().resolve("nano-teacher").architecture


@pytest.mark.parametrize(("asked", "used"), [(10, SMALLEST), (3 << 20, 3 << 20), (LARGEST * 4, LARGEST)])
def test_the_buffer_has_a_steps_bytes_within_bounds(monkeypatch, asked, used):
    sizes = []
    monkeypatch.setattr(torch, "zeros", lambda n, **_: sizes.append(n) or torch.empty(8))
    monkeypatch.setattr(rates, "_best", lambda work, finish: 0.5)
    found = measure_rates("cpu", "float32", asked)
    assert sizes == [used]
    assert found.copy_bytes == used
    assert found.bytes_per_s == 2 * used / 0.5  # read and written
    assert found.flops_per_s == 2 * 1024**3 / 0.5


def test_rates_are_those_of_the_machine():
    found = measure_rates("cpu", "float32", 1)
    assert found.bytes_per_s > 0
    assert found.flops_per_s > 0


def on_torch(monkeypatch, **words):
    monkeypatch.setattr(FakeBackend, "versions", {"torch": "2"})
    return fake_system(dims=DIMS, **words)


def test_no_room_for_measuring_the_machine_leaves_its_roofline_out(monkeypatch):
    def refuse(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(measure, "measure_rates", refuse)
    assert measure.own_rates(on_torch(monkeypatch), point()) is None


def test_an_engine_outside_torch_and_an_open_loop_have_no_measured_roofline(monkeypatch):
    assert measure.own_rates(fake_system(dims=DIMS), point()) is None
    assert measure.own_rates(on_torch(monkeypatch), point(rate=1.0)) is None


def test_the_matmul_rate_is_that_of_the_products_where_they_are_not_in_the_weights_dtype():
    system = fake_system()
    assert (system.dtype, system.products_dtype) == ("bfloat16", "bfloat16")
    system.backend.compute_dtype = "float32"
    assert (system.dtype, system.products_dtype) == ("bfloat16", "float32")
    system.backend.compute_dtype = "tfloat32"  # what torch makes of a product of fp32 matrices, and no dtype of theirs
    assert system.products_dtype == "bfloat16"
