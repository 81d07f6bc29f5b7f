"""The roofline: bytes and FLOPs of a step over what a data sheet promises."""

import pytest
from support.reference_figures import CEILINGS_4B_WIDTH

from zoo.arch.gpus import MICROARCHITECTURES, find_gpu, load_gpus, microarchitecture, source_of
from zoo.arch.roofline import decode_work, least_time, mean_context, memory_bytes, prefill_work
from zoo.registry.loader import load_registry


def dims(name):
    return load_registry().resolve(name).architecture


@pytest.mark.parametrize(("gpu", "ceiling"), CEILINGS_4B_WIDTH.items())
def test_ceilings_of_the_4b_width_model_at_batch_1_are_the_known_ones(gpu, ceiling):
    found = least_time(decode_work(dims("llama-3.1-minitron-4b-width"), 1, 0), load_gpus()[gpu].bytes_per_s, None)
    assert round(1 / found.seconds) == ceiling
    assert found.bound_by == "bandwidth"


@pytest.mark.parametrize(
    ("model", "ceiling"),
    [("minitron-8b", 141), ("minitron-4b", 300), ("mistral-nemo-minitron-8b", 129), ("mistral-nemo-12b", 88),
     ("llama-3.1-minitron-4b-depth", 254), ("llama-3.1-8b", 136)],
)  # fmt: skip
def test_ceilings_of_the_family_on_an_a100_are_those_of_the_reference(model, ceiling):
    found = least_time(decode_work(dims(model), 1, 0), load_gpus()["a100-80-sxm"].bytes_per_s, 312e12)
    assert 1 / found.seconds == pytest.approx(ceiling, abs=0.6)  # the reference rounds 299.5 up


def test_the_cache_adds_its_bytes_and_a_large_batch_is_bound_by_compute():
    model, gpu = dims("llama-3.1-8b"), load_gpus()["h100-sxm"]
    empty, full = decode_work(model, 4, 0), decode_work(model, 4, 1000)
    assert full.bytes - empty.bytes == 4 * 1000 * 131_072
    assert least_time(decode_work(model, 1024, 1), gpu.bytes_per_s, gpu.flops_per_s("bfloat16")).bound_by == "compute"


def test_prefill_counts_the_head_once_a_prompt():
    model = dims("llama-3.1-8b")
    head = 2 * model.vocab_size * model.hidden_size
    one, two = prefill_work(model, 1, 1), prefill_work(model, 1, 2)
    assert one.flops == decode_work(model, 1, 0).flops
    assert two.flops - one.flops < 2 * one.flops - head


def test_the_mean_context_is_the_mean_over_the_steps():
    for length in (2, 3, 4, 129):
        contexts = [7 + k - 1 for k in range(1, length)]
        assert mean_context(7, length) == sum(contexts) // len(contexts)


def test_memory_is_weights_and_caches():
    assert memory_bytes(dims("llama-3.1-8b"), 2, 100) == 2 * 8_030_261_248 + 200 * 131_072


def test_a_gpu_is_known_by_name_and_capability_together():
    assert find_gpu("NVIDIA A100-SXM4-80GB", "8.0") is load_gpus()["a100-80-sxm"]
    assert find_gpu("NVIDIA A100 80GB PCIe", "8.0") is load_gpus()["a100-80-pcie"]
    assert find_gpu("NVIDIA H100 80GB HBM3", "9.0") is load_gpus()["h100-sxm"]


@pytest.mark.parametrize(
    ("name", "capability"),
    [("NVIDIA A100-SXM4-80GB MIG 1g.10gb", "8.0"), ("NVIDIA H200 NVL", "9.0"), ("NVIDIA A100-SXM4-80GB", "8.6"),
     ("NVIDIA GeForce RTX 4090 D", "8.9"), ("", "8.0")],
)  # fmt: skip
def test_a_gpu_that_is_not_in_the_table_is_never_guessed(name, capability):
    assert find_gpu(name, capability) is None


def test_every_row_has_source_architecture_and_names_of_its_own():
    names = [name for gpu in load_gpus().values() for name in gpu.names]
    assert len(names) == len(set(names))
    for gpu in load_gpus().values():
        assert source_of(gpu)
        assert gpu.capability in MICROARCHITECTURES
        assert gpu.fp8 is None or float(gpu.capability) >= 8.9


def test_blackwell_is_two_architectures():
    assert microarchitecture("10.0") != microarchitecture("12.0")
    assert microarchitecture("13.0") is None
