"""NVML as it answers, refuses, loses the device or is not there, by a fake of it: no GPU is needed, and none was asked."""

from pathlib import Path
from types import SimpleNamespace

import pynvml
import pytest
import torch
from support.fake_nvml import A100, FakeNvml
from support.speed_fakes import Hand, fake_system, measured

from harness.nvml import DeviceGone, driver_version
from harness.speed.probes.devices import watched
from harness.speed.probes.nvml_probe import NvmlProbe, find_device, open_nvml
from harness.speed.probes.probe import NoTelemetry
from zoo.registry.loader import load_registry

DIMS = load_registry().resolve("llama-3.1-minitron-4b-width").architecture


@pytest.fixture
def nvml(monkeypatch):
    return FakeNvml(monkeypatch, {**A100})


def numbers_processes(monkeypatch, namespace):
    """As the host does, or a container."""
    monkeypatch.setattr("pathlib.Path.readlink", lambda path: Path(namespace))


def on_gpu(nvml, hand=None, **words):
    probe = find_device("1234")
    return fake_system(hand or Hand(), probe, DIMS, device="cuda:0", **words)


def test_a_device_is_found_by_its_uuid_with_or_without_the_prefix(nvml):
    for uuid in ("1234", "GPU-1234"):
        assert isinstance(find_device(uuid), NvmlProbe)
    nvml.gpus[0]["uuid"] = "MIG-1234"
    assert isinstance(find_device("1234"), NvmlProbe)


def test_facts_and_samples_are_in_plain_units(nvml, monkeypatch):
    probe = find_device("1234")
    facts = probe.facts()
    assert facts["product"] == "NVIDIA A100-SXM4-80GB"
    assert (facts["capability"], facts["power_limit_w"], facts["mig"], facts["ecc"]) == ("8.0", 400.0, False, True)
    numbers_processes(monkeypatch, "pid:[4026531836]")
    nvml.energy_mj, nvml.events, nvml.pids = 2_500, 0x24, [1, 2]
    assert probe.energy() == 2.5
    sample = probe.sample()
    assert (sample["power_w"], sample["clock_events"], sample["other_processes"]) == (250.0, 0x24, 2)


def test_the_process_that_measures_is_not_another(nvml, monkeypatch):
    monkeypatch.setattr("os.getpid", lambda: 77)
    numbers_processes(monkeypatch, "pid:[4026531836]")
    nvml.pids = [77]
    assert find_device("1234").sample()["other_processes"] == 0
    nvml.pids = [4711]
    assert find_device("1234").sample()["other_processes"] == 1


@pytest.mark.parametrize(
    ("pids", "others"),
    [([77], 0), ([77, 4711], 1), ([4711], 0), ([4711, 4712], 1), ([], None)],
    ids=["translated", "translated, and one more", "the host's", "the host's, and one more", "none told"],
)
def test_in_a_container_one_process_is_this_one_whatever_its_number(nvml, monkeypatch, pids, others):
    monkeypatch.setattr("os.getpid", lambda: 77)
    numbers_processes(monkeypatch, "pid:[4026532841]")
    nvml.pids = pids
    assert find_device("1234").sample()["other_processes"] == others


def test_a_run_in_a_container_whose_gpu_tells_no_process_says_so(nvml, monkeypatch):
    numbers_processes(monkeypatch, "pid:[4026532841]")
    found = measured(on_gpu(nvml)).facts.validity
    assert found.valid
    assert "no-process-telemetry" in [note.code for note in found.notes]


def test_a_valid_run_on_a_known_gpu_has_the_roofline_of_its_data_sheet(nvml):
    found = measured(on_gpu(nvml, prefill=0.5, step=0.0078125)).facts
    assert found.validity.valid
    (decode,) = [a for a in found.achieved if a.step == "decode"]
    assert decode.against == "data sheet"
    assert decode.bytes_per_s == 2039e9
    assert decode.percent == pytest.approx(100 * decode.bytes / 2039e9 / 0.0078125)
    assert decode.bound_by == "bandwidth"
    assert found.memory.allocator == 123
    assert found.memory.device == 20 * 2**30


def test_an_unknown_gpu_has_no_roofline_and_none_is_guessed(nvml):
    nvml.gpus[0]["name"] = "NVIDIA A100-SXM4-96GB"
    found = measured(on_gpu(nvml)).facts
    assert found.achieved == ()
    assert found.roofline_note == "no data-sheet roofline: this GPU is not in zoo/arch/gpus.yaml"


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ({"events": 0x40}, "clocks-throttled"),
        ({"events": 0x8}, "clocks-throttled"),
        ({"pids": [1]}, "other-gpu-processes"),
    ],
)
def test_a_throttled_or_shared_gpu_is_invalid(nvml, state, code):
    vars(nvml).update(state)
    found = measured(on_gpu(nvml)).facts
    assert [reason.code for reason in found.validity.reasons] == [code]


def test_a_software_power_cap_is_noted_and_valid(nvml):
    nvml.events = 0x04
    found = measured(on_gpu(nvml)).facts
    assert found.validity.valid
    assert found.power_capped
    assert found.validity.notes[0].code == "power-capped"


def test_joules_come_from_the_energy_counter(nvml):
    hand = Hand()
    bench = on_gpu(nvml, hand)
    forward = hand.forward
    hand.forward = lambda seconds: (forward(seconds), setattr(nvml, "energy_mj", int(hand.at * 250_000)))
    outcome = measured(bench, trials=12)
    assert outcome.values["joules_per_token"] == [250.0 / 5] * 6


def test_what_a_gpu_does_not_support_is_null_and_no_refusal(nvml):
    nvml.refuse = dict.fromkeys(
        ["nvmlDeviceGetMigMode", "nvmlDeviceGetTotalEccErrors"], pynvml.NVML_ERROR_NOT_SUPPORTED
    )
    nvml.refuse["nvmlDeviceGetTotalEnergyConsumption"] = pynvml.NVML_ERROR_NOT_SUPPORTED
    outcome = measured(on_gpu(nvml))
    assert outcome.facts.validity.valid
    assert outcome.values["joules_per_token"] == []
    assert "refused" not in outcome.facts.machine


def test_what_nvml_refuses_is_told(nvml):
    nvml.refuse = {"nvmlDeviceGetCurrentClocksEventReasons": pynvml.NVML_ERROR_NO_PERMISSION}
    probe = find_device("1234")
    probe.sample()
    assert "nvmlDeviceGetCurrentClocksEventReasons" in probe.facts()["refused"][0]
    (reason,) = measured(on_gpu(nvml)).facts.validity.reasons
    assert reason.code == "no-telemetry"


@pytest.mark.parametrize("error", [pynvml.NVML_ERROR_LIBRARY_NOT_FOUND, pynvml.NVML_ERROR_DRIVER_NOT_LOADED,
                                   pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH])  # fmt: skip
def test_without_nvml_a_gpu_is_measured_against_its_roofline_and_invalid(nvml, monkeypatch, error):
    told = SimpleNamespace(uuid="1234", name="NVIDIA A100-SXM4-80GB", major=8, minor=0, total_memory=85 * 10**9)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: told)
    nvml.refuse = {"nvmlInit": error}
    probe = open_nvml("cuda:0")
    assert isinstance(probe, NoTelemetry)
    found = measured(fake_system(Hand(), probe, DIMS, device="cuda:0")).facts
    assert found.statistics
    assert {a.against for a in found.achieved} == {"data sheet"}
    (reason,) = found.validity.reasons
    assert reason.code == "no-telemetry"
    assert nvml.open == 0


def test_a_gpu_that_vanishes_is_told_as_lost(nvml):
    probe = find_device("1234")
    nvml.refuse = {"*": pynvml.NVML_ERROR_GPU_IS_LOST}
    with pytest.raises(DeviceGone):
        probe.facts()
    with pytest.raises(DeviceGone):
        probe.sample()
    with pytest.raises(DeviceGone):
        probe.energy()


def test_doctor_names_what_the_gpu_tells(nvml, monkeypatch):
    told = SimpleNamespace(uuid="1234", name=nvml.gpus[0]["name"], major=8, minor=0, total_memory=1)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: told)
    assert "clock_events" in watched("cuda:0")
    assert watched("cuda:0").endswith("energy")
    nvml.refuse = {"nvmlInit": pynvml.NVML_ERROR_LIBRARY_NOT_FOUND}
    assert "every result is marked invalid" in watched("cuda:0")


def test_the_driver_is_told_and_no_session_stays_open(nvml):
    assert (driver_version(), nvml.open) == ("570.133.20", 0)
    nvml.refuse = {"nvmlSystemGetDriverVersion": pynvml.NVML_ERROR_UNKNOWN}
    assert (driver_version(), nvml.open) == (None, 0)
