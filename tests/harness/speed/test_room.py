"""What does not fit is said before a model is loaded, with the largest batch that would."""

import pytest

from backends.contract import Options
from harness.speed import memory
from harness.speed.bench import run
from harness.speed.loading import find_checkpoint
from harness.speed.memory import check_room
from harness.speed.request import BenchRequest, LoadRequest
from harness.speed.workloads.workload import Workload
from zoo.arch.roofline import memory_bytes
from zoo.errors import DeviceMemory

SHAPE = {"input": 64, "output": 64}


def workload(batches):
    return Workload.model_validate({"name": "w", "shapes": [SHAPE], "batches": batches})


@pytest.fixture
def asked():
    return LoadRequest("nano-teacher", options=Options(device="cpu"))


def room_for(asked, batch):
    """Bytes of the weights and of so many caches, to the byte."""
    return memory_bytes(find_checkpoint(asked).closed_form, batch, 128, "float32", "float32")


@pytest.mark.parametrize("fits", [0, 1, 5])
def test_the_largest_batch_that_fits_is_named_and_nothing_is_loaded(asked, fits, monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "free_bytes", lambda device: room_for(asked, fits))

    def never(*_):
        raise AssertionError("loaded")

    monkeypatch.setattr("harness.speed.bench.load", never)
    with pytest.raises(DeviceMemory) as told:
        run(BenchRequest(asked, workload([8, 16])), tmp_path)
    assert f"The largest batch of that length that fits is {fits}." in told.value.what
    assert told.value.hint == (
        f"Take `--batch {fits}`." if fits else "Take a narrower --dtype, another --device, or a smaller model."
    )


@pytest.mark.parametrize("batches", [[8, 16], [16, 8], "sweep"])
def test_a_workload_of_which_one_point_fits_is_begun(asked, batches, monkeypatch):
    monkeypatch.setattr(memory, "free_bytes", lambda device: room_for(asked, 8))
    check_room(find_checkpoint(asked), asked, workload(batches))


def test_unknown_memory_refuses_nothing(asked, monkeypatch):
    monkeypatch.setattr(memory, "free_bytes", lambda device: None)
    check_room(find_checkpoint(asked), asked, workload([1 << 16]))
