"""What a run is said to hold: by hand where it can be counted, and against the most memory that a real step takes."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest
from support.measured_training import as_word
from support.paths import ROOT

from zoo.arch.dims import Dense, Rope
from zoo.arch.parameters import count_parameters
from zoo.distill.lora import add_adapters
from zoo.distill.plan.host import host_memory
from zoo.distill.plan.memory import CONTEXT, peak_memory, teacher_bytes
from zoo.distill.plan.setup import Setup, adapter_parameters
from zoo.distill.settings import LossSettings, TrainSettings
from zoo.errors import InvalidOption
from zoo.registry.loader import load_registry


def llama(hidden, ffn, heads, layers, vocab=32_000) -> Dense:
    return Dense(
        type="dense", num_layers=layers, hidden_size=hidden, ffn_hidden_size=ffn, num_attention_heads=heads,
        num_kv_heads=4, head_dim=64, vocab_size=vocab, tied_embeddings=False, activation="swiglu", norm="rmsnorm",
        rope=Rope(theta=1e4),
    )  # fmt: skip


STUDENT, TEACHER = llama(512, 1408, 8, 14), llama(768, 2048, 12, 6)
TRAIN = TrainSettings(steps=1, batch=1, length=128, micro=1, dtype="float32")
ON_A_CPU = Setup(STUDENT, TEACHER, TRAIN, device="cpu")
MODELS = load_registry().models
BIG = Setup(
    MODELS["llama-3.1-minitron-4b-width"].architecture,
    MODELS["llama-3.1-8b"].architecture,
    TrainSettings(steps=1, batch=64, length=8192),
)


def size(setup: Setup, name: str) -> int:
    return sum(part.bytes for part in peak_memory(setup).parts if part.name == name)


@pytest.mark.slow
def test_the_peak_of_a_74m_student_on_a_cpu_is_predicted_within_15_percent():
    assert count_parameters(STUDENT).total == 74_070_528
    ran = subprocess.run(
        [sys.executable, "-m", "support.measured_training", as_word(ON_A_CPU)],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert peak_memory(ON_A_CPU).total == pytest.approx(int(ran.stdout.split()[-1]), rel=0.15)


def test_trained_weights_take_16_bytes_each_and_with_moments_in_eight_bits_ten():
    parameters = count_parameters(BIG.student).total
    assert (size(BIG, "weights"), size(BIG, "optimizer")) == (4 * parameters, 8 * parameters)
    assert size(BIG, "gradients of the layers") + size(BIG, "gradients of embedding and head") == 4 * parameters
    less = replace(BIG, train=replace(BIG.train, optimizer="adamw-8bit"))
    assert size(less, "optimizer") == int(2 * parameters * (1 + 4 / 256))


def test_under_fsdp_a_rank_holds_its_share_and_ddp_holds_everything():
    eight = replace(BIG, processes=8)
    assert size(eight, "weights") == size(BIG, "weights") // 8
    assert size(eight, "optimizer") == size(BIG, "optimizer") // 8
    assert size(eight, "weights, gathered") > 0
    both = replace(eight, train=replace(eight.train, parallel="ddp"))
    assert size(both, "weights") == size(BIG, "weights")


def test_what_waits_on_the_host_is_not_on_the_device_and_the_other_way_about():
    parameters, teacher = count_parameters(BIG.student).total, count_parameters(BIG.teacher)
    offloaded = replace(BIG, train=replace(BIG.train, offload=True))
    on_the_device = {part.name for part in peak_memory(offloaded).parts}
    assert {"weights", "optimizer", "gradients of the layers"}.isdisjoint(on_the_device)
    assert {"weights, gathered", "activations", "teacher"} <= on_the_device
    assert teacher_bytes(offloaded) == 2 * 128_256 * 4096
    host = host_memory(offloaded)
    sizes = {part.name: part.bytes for part in host.parts}
    assert sizes["weights"] + sizes["gradients"] + sizes["optimizer"] == 16 * parameters
    assert sizes["teacher"] == 2 * (teacher.total - teacher.head - teacher.final_norm)
    assert host.total > peak_memory(BIG).total / 2
    assert host_memory(BIG) is None
    eight = host_memory(replace(offloaded, processes=8, train=replace(offloaded.train)))
    assert {part.name: part.bytes for part in eight.parts}["the whole student, as it is loaded"] == 4 * parameters


def test_a_teacher_takes_its_weights_its_share_of_them_its_head_or_nothing():
    whole, head = 2 * count_parameters(BIG.teacher).total, 2 * 128_256 * 4096
    assert teacher_bytes(BIG) == whole - 2 * 4096  # the final norm is too small to be told
    assert teacher_bytes(replace(BIG, processes=8)) == (whole - 2 * 4096 - head) // 8 + head
    assert teacher_bytes(replace(BIG, targets="exact")) == head
    assert teacher_bytes(replace(BIG, targets="sampled")) == 0


def test_neither_models_logits_are_ever_whole_in_the_plan():
    row = replace(BIG, train=replace(BIG.train, micro=1))
    logits = 8192 * 128_256 * 2
    assert size(row, "logits of a chunk") < logits
    short = replace(row, loss=LossSettings(chunk=128))
    assert 0 < size(short, "logits of a chunk") < size(row, "logits of a chunk")


def test_recomputed_activations_are_what_goes_into_each_layer_and_one_layers_own():
    again = replace(BIG, train=replace(BIG.train, checkpoint_activations=True))
    assert size(again, "activations") < size(BIG, "activations") / 8
    assert peak_memory(again).total < peak_memory(BIG).total


def test_a_larger_micro_batch_never_takes_less():
    # one micro-batch a step carries no gradients of earlier ones, so steps of several are compared
    found = [peak_memory(replace(BIG, train=replace(BIG.train, micro=rows))).total for rows in (1, 2, 4, 8, 16, 32)]
    assert found == sorted(found)


def test_adapters_are_counted_as_they_are_made():
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=96, hidden_size=64, intermediate_size=160, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, head_dim=16,
    )  # fmt: skip
    with torch.device("meta"):
        made = LlamaForCausalLM(config)
    made = made.to_empty(device="cpu")
    dims = llama(64, 160, 4, 2, 96).model_copy(update={"num_kv_heads": 2, "head_dim": 16})
    assert add_adapters(made, 3) == adapter_parameters(dims, 3)


def test_adapters_leave_two_bytes_a_frozen_weight_and_little_else():
    adapted = replace(BIG, lora=16)
    trained = adapter_parameters(BIG.student, 16)
    assert size(adapted, "weights") == 2 * count_parameters(BIG.student).total + 4 * trained
    assert size(adapted, "optimizer") == 8 * trained
    assert size(adapted, "gradient of the head") == 0


def test_matched_states_come_with_a_trained_projection_and_more_of_the_teachers_states():
    deep = replace(BIG, loss=LossSettings(states=((29, 13), (30, 14)), embedding=True))
    assert size(deep, "projection of states, trained") == 16 * 3072 * 4096
    assert size(deep, "targets") == 4 * size(BIG, "targets")
    assert size(deep, "states that are matched") > 0


def test_the_process_itself_is_part_of_the_plan():
    assert size(ON_A_CPU, "process and libraries") == CONTEXT["cpu"]


def test_a_batch_that_the_processes_cannot_share_is_refused():
    with pytest.raises(InvalidOption, match="64 rows"):
        replace(BIG, processes=3)
    with pytest.raises(InvalidOption, match="0 processes"):
        replace(BIG, processes=0)
