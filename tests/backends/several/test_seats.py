"""Which words about devices mean what, and which contradict each other."""

import pytest

from backends import memory
from backends.contract import Options
from backends.opening import open_backend, told_of_seats
from backends.several import seats
from backends.several.seats import ALL, in_one_process, seats_of
from zoo.checkpoint.locate import outline
from zoo.errors import SeveralDevices


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """A machine of 8 cores; `gpus` says how many GPUs it has."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)))

    def gpus(count):
        monkeypatch.setattr(seats, "_gpus", lambda: [f"cuda:{index}" for index in range(count)])

    gpus(0)
    return gpus


def places(**options):
    return [(seat.device, seat.threads) for seat in seats_of(Options(**options))]


@pytest.mark.parametrize("devices", [(), ALL])
def test_without_a_word_a_machine_of_one_device_runs_it_in_this_process(machine, devices):
    assert places(devices=devices) == []
    machine(1)
    assert places(devices=devices) == []
    assert in_one_process(Options(devices=devices)).device == "auto"


def test_all_devices_are_every_gpu_unless_one_is_named(machine):
    machine(2)
    assert places(devices=ALL) == [("cuda:0", 4), ("cuda:1", 4)]
    assert places() == []
    assert places(devices=ALL, device="cpu") == []
    assert in_one_process(Options(devices=ALL)).device == "cuda:0"


def test_one_device_is_no_several(machine):
    machine(2)
    assert places(devices=("cuda:1",)) == []
    assert in_one_process(Options(devices=("cuda:1",))).device == "cuda:1"


def test_workers_share_the_cores(monkeypatch):
    assert places(workers=2) == [("cpu", 4)] * 2
    assert places(workers=1, devices=ALL) == [("cpu", 8)]
    assert places(workers=16) == [("cpu", 1)] * 16
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert places(workers=2) == [("cpu", 1)] * 2
    assert seats_of(Options(workers=2))[0].environment["OMP_NUM_THREADS"] == "1"


def test_another_interpreter_or_a_container_is_a_worker():
    assert places(python="/opt/python") == [("auto", 8)]
    assert places(worker_command=("bwrap",), device="cpu") == [("cpu", 8)]


CONTRADICTIONS = {
    "both say where": {"device": "cpu", "devices": ("cuda:0", "cuda:1")},
    "named twice": {"devices": ("cuda:0", "cuda:0")},
    "both are given": {"workers": 2, "devices": ("cuda:0",)},
    "share the CPU": {"workers": 2, "device": "cuda:0"},
}


@pytest.mark.parametrize("said", CONTRADICTIONS)
def test_words_that_contradict_each_other_are_refused(said):
    with pytest.raises(SeveralDevices, match=said):
        seats_of(Options(**CONTRADICTIONS[said]))


def test_workers_of_the_cpu_are_not_taken_for_gpus(machine):
    machine(1)
    with pytest.raises(SeveralDevices, match="--device cpu"):
        seats_of(Options(workers=2))
    assert places(workers=2, device="cpu") == [("cpu", 4)] * 2


def test_an_engine_that_divides_itself_has_no_workers(monkeypatch):
    monkeypatch.setattr("backends.opening.check_backend", lambda _: None)
    with pytest.raises(SeveralDevices, match="vllm divides its work itself"):
        open_backend(None, "vllm", Options(workers=2))


def test_a_plan_says_that_it_is_of_one_worker(machine):
    machine(2)
    assert told_of_seats("hf", Options(devices=("cuda:0",))) == []
    assert "2 workers (cuda:0, cuda:1)" in told_of_seats("hf", Options(devices=ALL))[0]
    assert told_of_seats("vllm", Options(devices=ALL)) == []


@pytest.mark.parametrize(
    ("free", "words", "spread"),
    [
        (10**9, {}, False),
        (3 * 10**6, {}, True),
        (10**6, {}, False),
        (3 * 10**6, {"python": "python3"}, False),
        (3 * 10**6, {"device": "cuda:0"}, False),
        (None, {}, False),
    ],
    ids=["fits on each", "fits on both together", "fits on neither", "another interpreter", "one device", "not known"],
)
def test_layers_are_laid_over_all_gpus_where_one_has_no_room_for_them(machine, monkeypatch, free, words, spread):
    """nano-teacher takes 5.5 MB in fp32."""
    machine(2)
    monkeypatch.setattr(memory, "free_bytes", lambda _: free)
    model = outline("nano-teacher")
    options = Options(dtype="float32", devices=() if "device" in words else ALL, **words)
    assert memory.must_spread(model, "hf", options) is spread
    assert not memory.must_spread(model, "pruned", options)
