"""The memory that a dry run tells: by dimensions and plan, an upper bound whose parts are those of the engine."""

import dataclasses

import pytest

from backends.contract import GenerateRequest, Options
from backends.memory import held_bytes
from harness.accuracy.memory_need import Setting, memory_need, memory_of
from harness.accuracy.times.entry_work import Asked
from harness.accuracy.times.pace import Amount
from harness.records.measured_work import Place
from zoo.arch.dims import Dense
from zoo.arch.parameters import count_parameters
from zoo.checkpoint.locate import locate, outline
from zoo.checkpoint.model_ref import resolve
from zoo.registry.loader import load_registry

GB = 10**9
ASKED = Asked(score_tokens=200_000, generations=4, prompt_tokens=4000, longest_scored=600, longest_generated=900)
AMOUNTS = {
    "quiz": Amount(200_000, True, 0, 0, 400_000, 0, 600, 0),
    "sums": Amount(0, True, 1024, 4, 0, 4000, 0, 900),
}
SETTINGS = {
    "cpu": Setting("cpu", "float32", 1000, workers=2, free=64 * GB),
    "cpu in halves": Setting("cpu", "bfloat16", 1000, workers=2, free=64 * GB),
    "gpu": Setting("cuda", "bfloat16", 1000, free=64 * GB),
    "plain": Setting("cpu", "float32", 1000, free=64 * GB, eager=True),
}
DENSE = {name: model for name, model in load_registry().models.items() if isinstance(model.architecture, Dense)}


def place(device="cpu", dtype="float32", backend="hf"):
    return Place(backend, device, "Some device", dtype)


def of(name, local=None, where=None, options=None, amounts=AMOUNTS, backend="hf"):
    return memory_of(resolve(name), local, backend, options or Options("cpu"), where or place(), amounts, exact=True)


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("name", ["llama-3.1-8b", "minitron-4b", "nano-teacher"])
def test_it_grows_with_context_and_batch(name, setting):
    dims, how = DENSE[name].architecture, SETTINGS[setting]

    def total(asked=ASKED, setting=how):
        return memory_need(dims, asked, setting).total

    scores = dataclasses.replace(ASKED, generations=0)
    texts = dataclasses.replace(ASKED, score_tokens=0)
    for asked, grown in (
        (scores, dataclasses.replace(scores, longest_scored=2400)),
        (texts, dataclasses.replace(texts, longest_generated=1100)),
        (texts, dataclasses.replace(texts, generations=1)),
    ):
        less, more = sorted((asked, grown), key=lambda a: (a.generations, a.longest_scored, a.longest_generated))
        assert total(less) <= total(more)
    assert total(scores, dataclasses.replace(how, budget=512)) <= total(scores, dataclasses.replace(how, budget=8192))
    assert total(dataclasses.replace(scores, longest_scored=60_000)) > total(scores)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_every_dense_model_of_the_registry_has_one_that_is_more_than_its_weights(dtype):
    assert len(DENSE) > 20
    for name, model in DENSE.items():
        if model.lineage and model.lineage.quantization:
            continue
        (need,) = of(name, where=place(dtype=dtype))
        assert need.parts["weights"] == count_parameters(model.architecture).total * (4 if dtype == "float32" else 2)
        assert need.parts["process"] >= held_bytes().resident // 2
        assert need.total == sum(need.parts.values()) > need.parts["weights"]


def test_the_keys_and_values_are_those_of_the_engine():
    """Bytes of a token, and how many sequences decode together."""
    from backends.hf.backend import HfBackend
    from backends.packing.generate import _affordable_slots

    found = locate("nano-teacher")
    backend = HfBackend(found, Options("cpu"))
    packed = backend._packed
    for count, length in ((3, 40), (100, 40), (100, 400)):
        requests = [GenerateRequest(tuple(range(10, 10 + length)), 100)] * count
        asked = Asked(0, count, count * length, 0, length + 100)
        need = memory_need(DENSE["nano-teacher"].architecture, asked, SETTINGS["cpu"])
        assert need.slots == _affordable_slots(packed, requests)
        cache = need.slots * (length + 100) * packed.cache_bytes_per_token()
        assert cache <= need.parts["keys and values"] <= 3 * cache + 4000 * packed.cache_bytes_per_token()
    backend.close()


def test_a_gpu_needs_the_hosts_memory_too():
    device, host = of("llama-3.1-8b", where=place("cuda", "bfloat16"), options=Options("cpu"))
    weights = 2 * load_registry().models["llama-3.1-8b"].parameters
    assert (device.device, device.parts["weights"]) == ("cuda", weights)
    assert (host.device, host.parts["weights"], host.phase) == ("cpu", weights, "loading")


@pytest.mark.parametrize(
    ("name", "backend", "why"), [("nemotron-h-8b", "hf", "Mamba"), ("nano-teacher", "other", "does not tell")]
)
def test_what_has_no_closed_form_is_unknown_with_the_reason(name, backend, why):
    (need,) = of(name, backend=backend)
    assert (need.total, need.phase) == (None, None)
    assert why in need.unknown
    assert need.parts["weights"] > 0


def test_what_is_too_large_does_not_fit_and_a_file_that_can_be_dropped_does_not_count():
    dims = DENSE["llama-3.1-8b"].architecture
    weights = 32 * GB
    tight = Setting("cpu", "float32", weights, stored_bytes=16 * GB, workers=1, free=40 * GB)
    assert memory_need(dims, ASKED, tight).fits is True
    assert memory_need(dims, ASKED, tight).total > 40 * GB
    assert memory_need(dims, ASKED, dataclasses.replace(tight, free=32 * GB)).fits is False
    assert memory_need(dims, ASKED, dataclasses.replace(tight, free=None)).fits is None


def test_a_folder_is_told_by_its_config_and_its_files(stories):
    found = outline(str(stories))
    (need,) = of(str(stories), local=found)
    assert need.parts["weights"] == 4 * count_parameters(found.closed_form).total


def test_tasks_whose_requests_cannot_be_told_are_named():
    (need,) = of("nano-teacher", amounts={**AMOUNTS, "piqa": Amount()})
    assert need.without == ("piqa",)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["llama-3.1-8b", "--dtype", "bfloat16"], "Memory: about"),
        (["nano-teacher"], "Memory: at most"),
        (
            ["nemotron-h-8b"],
            "Memory: unknown, for what its Mamba layers hold while they compute has no closed form; its",
        ),
        (["nano-teacher", "--device", "tpu"], "Memory: unknown, for 'tpu' is no device"),
        (["mistral-nemo-12b", "--device", "cuda"], "of the GPU's memory while"),
    ],
)
def test_a_person_reads_a_line_of_it(minizoo, tmp_path, words, line):
    tasks = ["--tasks", "nano_words" if words[0] == "nano-teacher" else "hellaswag"]
    ran = minizoo("eval", *words, *tasks, "--limit", 5, "--dry-run", "--no-probe", "--results", tmp_path)
    assert ran.code == 0, ran.err
    (told,) = [text for text in ran.out.splitlines() if text.startswith("Memory: ") and line in text]
    assert " GB" in told or "tpu" in told
