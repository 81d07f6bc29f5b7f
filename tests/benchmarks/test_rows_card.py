"""What gpu_rows is told of a card, and why one cannot be measured: NVML and torch by fakes."""

import json
import sys
import warnings
from types import SimpleNamespace

import pynvml
import pytest
import torch
from support.fake_nvml import A100, FakeNvml

import benchmarks.rows.card as cards
from benchmarks.rows.process import Finished
from zoo.errors import DeviceMissing, InvalidOption, UnsupportedDtype

SLICE = {**A100, "uuid": "MIG-77", "name": "NVIDIA A100-SXM4-80GB MIG 3g.40gb"}


@pytest.fixture
def gpu(monkeypatch):
    """A GPU as torch sees it; returns what is to be changed of it, and the NVML beside it."""

    def there(nvml_gpu=A100, **changes):
        told = {
            "name": nvml_gpu["name"], "major": 8, "minor": 0, "total_memory": nvml_gpu["memory"],
            "uuid": nvml_gpu["uuid"].removeprefix("GPU-"), **changes,
        }  # fmt: skip
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(**told))
        monkeypatch.setattr(torch.version, "cuda", "12.8")
        monkeypatch.setattr(cards, "_computed_on", lambda device: (79 * 10**9, nvml_gpu["memory"]))
        return FakeNvml(monkeypatch, nvml_gpu)

    return there


@pytest.fixture
def no_gpu(monkeypatch):
    """torch built for CUDA that sees no GPU."""
    monkeypatch.setattr(torch.version, "cuda", "12.8")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


def test_a_card_is_what_torch_and_nvml_tell_of_it(gpu):
    nvml = gpu()
    nvml.pids = [4711, 4712]
    card = cards.read("auto")
    assert card.model_dump(exclude={"torch", "transformers"}) == {
        "schema_version": "minizoo.card/1", "device": "cuda:0", "product": "NVIDIA A100-SXM4-80GB", "capability": "8.0",
        "memory": 85_899_345_920, "free": 79 * 10**9, "bfloat16": True, "mig": False, "driver": "570.133.20", "cuda": "12.8",
        "others": 2, "telemetry": None,
    }  # fmt: skip
    assert card.torch
    assert card.transformers
    assert card.notes() == ["2 other processes on the GPU: no row is valid beside them."]
    assert nvml.open == 0
    cards.check_dtype(card, "bfloat16")


def test_a_named_device_keeps_its_name(gpu):
    gpu()
    assert cards.read("cuda").device == "cuda:0"
    assert cards.read("cuda:0").device == "cuda:0"


def test_of_a_slice_it_is_said_what_its_rows_lack(gpu):
    nvml = gpu(SLICE, uuid="MIG-77")
    nvml.mig = 1
    card = cards.read("auto")
    assert card.mig
    assert card.notes() == ["MIG is on: no energy is taken, and a part of a GPU has no data-sheet roofline."]


def test_without_nvml_it_is_said_that_no_row_will_be_valid(gpu):
    gpu().refuse["*"] = pynvml.NVML_ERROR_LIBRARY_NOT_FOUND
    card = cards.read("auto")
    assert card.product == A100["name"]
    assert "every row will be invalid" in card.notes()[0]


def test_bf16_is_refused_where_the_card_has_none(gpu):
    gpu(major=7, minor=5)
    card = cards.read("auto")
    assert not card.bfloat16
    with pytest.raises(UnsupportedDtype, match=r"compute capability 7\.5.*--dtype float16"):
        cards.check_dtype(card, "bfloat16")
    cards.check_dtype(card, "float16")


def test_a_driver_that_is_too_old_is_told_in_torchs_words(no_gpu, monkeypatch):
    def is_available():
        warnings.warn(
            "CUDA initialization: The NVIDIA driver on your system is too old (found version 11040).", stacklevel=1
        )
        return False

    monkeypatch.setattr(torch.cuda, "is_available", is_available)
    with pytest.raises(DeviceMissing, match=r"built for CUDA 12\.8.*too old \(found version 11040\).*--device cpu"):
        cards.read("auto")


def test_a_torch_without_cuda_is_told_before_anything_else(monkeypatch):
    monkeypatch.setattr(torch.version, "cuda", None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(DeviceMissing, match=r"built for processors alone.*--device cpu"):
        cards.read("auto")


def test_a_machine_without_a_gpu_is_told_with_nvmls_reason(no_gpu, monkeypatch):
    FakeNvml(monkeypatch).refuse["*"] = pynvml.NVML_ERROR_LIBRARY_NOT_FOUND
    with pytest.raises(DeviceMissing, match=r"no GPU that torch sees.*--device cpu"):
        cards.read("cuda:1")


def test_a_gpu_that_nvml_alone_sees_is_named(no_gpu, monkeypatch):
    FakeNvml(monkeypatch, A100)
    with pytest.raises(DeviceMissing, match=r"A100-SXM4-80GB.*driver 570\.133\.20"):
        cards.read("auto")


def test_a_gpu_that_torch_is_not_built_for_is_told(gpu, monkeypatch):
    def no_kernel(device):
        raise RuntimeError("CUDA error: no kernel image is available for execution on the device")

    gpu(major=12)
    monkeypatch.setattr(cards, "_computed_on", no_kernel)
    with pytest.raises(DeviceMissing, match=r"no kernel image.*compute capability 12\.0"):
        cards.read("auto")


def test_a_device_that_is_none_is_refused(gpu):
    gpu()
    with pytest.raises(InvalidOption):
        cards.read("gpu7")
    with pytest.raises(DeviceMissing):
        cards.read("cuda:7")


def test_a_processor_is_asked_without_torch_and_has_to_be_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    card = cards.read("cpu")
    assert (card.device, card.bfloat16, card.capability) == ("cpu", True, None)
    assert card.memory > card.room > 0


def test_the_process_prints_the_card_or_the_error(no_gpu, monkeypatch, capsys):
    assert cards.main(["--device", "cpu"]) == 0
    assert json.loads(capsys.readouterr().out)["device"] == "cpu"
    FakeNvml(monkeypatch).refuse["*"] = pynvml.NVML_ERROR_LIBRARY_NOT_FOUND
    assert cards.main([]) == 4
    assert json.loads(capsys.readouterr().out)["code"] == "device-missing"


def test_whoever_asks_gets_the_card_or_the_error_of_the_process(capsys):
    cards.main(["--device", "cpu"])
    told = capsys.readouterr().out
    asked = []
    assert cards.ask(lambda words: asked.append(words) or Finished(0, told), "cpu").device == "cpu"
    assert asked == [[sys.executable, "-P", "-m", "benchmarks.rows.card", "--device", "cpu"]]
    error = {"schema": "minizoo.error/1", "code": "device-missing", "what": "There is none.", "hint": "Buy one."}
    with pytest.raises(DeviceMissing, match=r"There is none\. Buy one\."):
        cards.ask(lambda words: Finished(4, json.dumps(error)), "auto")
    for broken in (Finished(-11, ""), Finished(1, "", "Traceback\nImportError: libcuda.so\n"), Finished(0, "{}")):
        with pytest.raises(
            DeviceMissing, match=r"could not be asked.*(signal 11|ImportError: libcuda\.so|exit code 0)"
        ):
            cards.ask(lambda words, broken=broken: broken, "auto")
