"""What a vLLM worker is told, and the settings that are refused before one is started."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from backends.contract import Options
from backends.vllm.settings import LEAST_CACHE, device_groups, environment, settled
from zoo.checkpoint.locate import Checkpoint, locate, outline
from zoo.checkpoint.model_ref import resolve
from zoo.errors import DeviceMissing, InvalidOption, UnsupportedDtype, UnsupportedRequest, WrongBackend


@pytest.fixture(scope="module")
def nano() -> Checkpoint:
    return locate(outline(resolve("nano-teacher")))


def told(checkpoint: Checkpoint, device: str = "cpu", **options: Any) -> Options:
    return settled(checkpoint, Options(**options), device)


def test_a_cpu_computes_in_float32_and_a_gpu_in_what_the_checkpoint_says(nano: Checkpoint):
    assert told(nano).dtype == "float32"
    assert told(nano, "cuda:0").dtype == "bfloat16"
    assert told(nano, dtype="float16").engine["dtype"] == "float16"


def test_quantised_weights_choose_the_dtype_of_activations_themselves(nano: Checkpoint):
    config = {**nano.config, "quantization_config": {"quant_method": "fp8"}}
    assert told(Checkpoint(nano.ref, nano.folder, config), "cuda:0").dtype == "auto"


def test_the_context_is_the_models_own_unless_a_shorter_one_is_asked(nano: Checkpoint):
    assert told(nano).engine["max_model_len"] == 512
    assert told(nano, engine={"max_model_len": 100}).engine["max_model_len"] == 100
    assert told(nano, engine={"max_model_len": 100_000}).engine["max_model_len"] == 512


def test_a_cpus_cache_holds_at_least_one_context_and_can_be_set(nano: Checkpoint):
    assert told(nano).engine["kv_cache_memory_bytes"] == LEAST_CACHE
    long = Checkpoint(nano.ref, nano.folder, {**nano.config, "max_position_embeddings": 1_000_000})
    one = 2 * 6 * 2 * 32 * 4 * 1_000_001  # keys and values, layers, heads, width, bytes
    assert told(long).engine["kv_cache_memory_bytes"] > one
    assert told(nano, engine={"kv_cache_memory_bytes": 1 << 20}).engine["kv_cache_memory_bytes"] == 1 << 20
    assert "kv_cache_memory_bytes" not in told(nano, "cuda:0").engine


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"max_num_seq": 3}, "max_num_seqs"),
        ({"trust_remote_code": True}, "trust_remote_code"),
        ({"hf_overrides": "{}"}, "hf_overrides"),
        ({"max_num_seqs": "many"}, "does not take 'many'"),
        ({"max_num_seqs": True}, "does not take True"),
        ({"enable_prefix_caching": 1}, "does not take 1"),
        ({"max_model_len": 0}, "more than 0"),
    ],
)
def test_a_setting_that_is_not_to_be_given_is_refused_by_name(nano: Checkpoint, setting: dict[str, Any], said: str):
    with pytest.raises(UnsupportedRequest) as refused:
        told(nano, engine=setting)
    assert said in str(refused.value)


def test_a_dtype_that_is_none_is_refused(nano: Checkpoint):
    with pytest.raises(UnsupportedDtype):
        told(nano, dtype="int8")


def test_a_plan_without_weights_is_for_the_pruned_backend():
    with pytest.raises(WrongBackend, match="vLLM cannot run nano-width-pruned"):
        told(locate(outline(resolve("nano-width-pruned"))))


@pytest.fixture
def other_torch(monkeypatch: pytest.MonkeyPatch):
    """A torch built for CPUs, as this interpreter may have beside a vLLM for GPUs: it cannot know which there are."""
    monkeypatch.setattr("torch.version.cuda", None)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)


@pytest.mark.usefixtures("other_torch")
def test_a_model_is_cut_over_whole_groups_of_the_gpus_that_are_named():
    def groups(size: int, *devices: str):
        return device_groups(Options(devices=devices, engine={"tensor_parallel_size": size}))

    assert groups(2, "cuda:0", "cuda:3") == [("cuda:0", "cuda:3")]
    assert groups(2, "cuda:0", "cuda:1", "cuda:2", "cuda:3") == [("cuda:0", "cuda:1"), ("cuda:2", "cuda:3")]
    assert groups(1, "cuda:0", "cuda:1") == [("cuda:0",), ("cuda:1",)]
    for size, devices in ((2, ()), (2, ("cuda:0", "cuda:1", "cuda:2")), (2, ("cpu", "cpu"))):
        with pytest.raises(InvalidOption, match="tensor_parallel_size is 2"):
            groups(size, *devices)


def test_a_worker_sees_its_own_gpus_alone_and_asks_no_network():
    own = environment(("cuda:2",))
    assert own["CUDA_VISIBLE_DEVICES"] == "2"
    assert own["HF_HUB_OFFLINE"] == "1"
    assert own["VLLM_NO_USAGE_STATS"] == "1"
    assert environment(("cuda:0", "cuda:3"))["CUDA_VISIBLE_DEVICES"] == "0,3"


def test_a_cpus_threads_are_those_that_are_asked_for(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert environment(("cpu",))["OMP_NUM_THREADS"] == "3"
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert int(environment(("cpu",))["OMP_NUM_THREADS"]) >= 1


@pytest.mark.usefixtures("other_torch")
def test_devices_are_told_from_what_is_none(monkeypatch: pytest.MonkeyPatch):
    assert device_groups(Options()) == [("cpu",)]
    assert device_groups(Options(device="cuda")) == [("cuda:0",)]
    for wrong in ("tpu", "cuda:x", "cuda:1;rm"):
        with pytest.raises(InvalidOption):
            device_groups(Options(device=wrong))
    monkeypatch.setattr("torch.version.cuda", "13.0")
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    with pytest.raises(DeviceMissing):
        device_groups(Options(device="cuda:1"))


def test_the_tokens_of_a_step_leave_room_for_their_logits(served: Path):
    from vllm_settings import LOGITS_BYTES, tokens_a_step  # pyright: ignore[reportMissingImports]

    assert tokens_a_step(768, "cpu") == 8192
    assert tokens_a_step(256_000, "cuda") * 256_000 * 8 <= LOGITS_BYTES["cuda"] * 1.01
    assert tokens_a_step(10**9, "cuda") == 1024
