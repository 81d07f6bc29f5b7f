"""What a run leaves on disk, and how the same call goes on from it."""

import json
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from support.small_training import SETTINGS, losses, run, small_rows, small_student, small_teacher

from zoo.distill.settings import LossSettings
from zoo.distill.train.watcher import Watcher
from zoo.errors import Busy, InvalidTraining, OtherRun

BF16 = replace(SETTINGS, dtype="bfloat16")


def stopping_after(step, number=signal.SIGTERM):
    def told(metrics, _steps):
        if metrics.step == step:
            os.kill(os.getpid(), number)

    return Watcher(step=told)


def without_clock(out):
    lines = [json.loads(line) for line in Path(out, "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in one.items() if k not in ("seconds", "elapsed", "tokens_per_s")} for one in lines]


def stored(folder):
    files = sorted([*Path(folder).glob("*.safetensors"), *Path(folder, "training").glob("*.safetensors")])
    return {file.name: file.read_bytes() for file in files}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """An uninterrupted run, and what it said."""
    out = tmp_path_factory.mktemp("whole")
    return out, run(out)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1])
def test_on_a_signal_a_run_saves_and_stops_and_then_goes_on_bit_for_bit(tmp_path, whole, number):
    before = signal.getsignal(number)
    outcome = run(tmp_path, watcher=stopping_after(3, number))
    assert (outcome.steps, outcome.stopped) == (3, number.name)
    assert outcome.last.name == "step-00000003"
    assert signal.getsignal(number) is before
    outcome = run(tmp_path)
    assert (outcome.steps, outcome.stopped, outcome.tokens) == (6, None, whole[1].tokens)
    assert without_clock(tmp_path) == without_clock(whole[0])
    assert stored(outcome.last) == stored(whole[1].last)


@pytest.mark.parametrize(
    ("loss", "layers"),
    [(LossSettings(clm=0.5), ()), (LossSettings(states=((1, 1),)), (1,))],
    ids=["with the text", "with states"],
)
def test_other_losses_go_on_bit_for_bit_too_in_bf16(tmp_path, loss, layers):
    teacher = small_teacher(layers)
    one, two = tmp_path / "one", tmp_path / "two"
    expected = run(one, BF16, loss, teacher=teacher)
    run(two, BF16, loss, teacher=teacher, watcher=stopping_after(2))
    outcome = run(two, BF16, loss, teacher=teacher)
    assert without_clock(two) == without_clock(one)
    assert stored(outcome.last) == stored(expected.last)


def test_a_finished_run_is_not_run_again(tmp_path, whole):
    shutil.copytree(whole[0], tmp_path / "again")
    steps = []
    outcome = run(tmp_path / "again", watcher=Watcher(step=lambda metrics, _: steps.append(metrics.step)))
    assert steps == []
    assert (outcome.steps, outcome.tokens) == (6, whole[1].tokens)


def test_steps_after_the_last_checkpoint_are_taken_and_told_again(tmp_path, whole):
    out = tmp_path / "out"
    run(out, watcher=stopping_after(2))
    with (out / "metrics.jsonl").open("a") as file:
        file.write('{"step": 3, "loss": 99}\n{"step": 4, "lo')  # of a run that was killed in the fourth step
    run(out)
    assert without_clock(out) == without_clock(whole[0])


@pytest.mark.parametrize(("settings", "dtype"), [(SETTINGS, torch.float32), (BF16, torch.bfloat16)])
def test_a_checkpoint_is_a_model_that_transformers_loads(tmp_path, settings, dtype):
    from transformers import AutoModelForCausalLM

    student = small_student()
    outcome = run(tmp_path, settings, student=student, furnish=lambda folder: (folder / "tokenizer.json").touch())
    loaded = AutoModelForCausalLM.from_pretrained(outcome.last)
    assert loaded.dtype == dtype
    for (name, one), trained in zip(loaded.named_parameters(), student.parameters(), strict=True):
        assert torch.equal(one, trained.to(dtype)), name
    assert loaded.lm_head.weight is loaded.model.embed_tokens.weight
    assert (outcome.last / "tokenizer.json").is_file()


def test_tensors_are_stored_as_the_caller_says(tmp_path):
    outcome = run(
        tmp_path, as_stored=lambda tensors: {name: 0 * one for name, one in tensors.items() if "norm" in name}
    )
    tensors = load_file(outcome.last / "model.safetensors")
    assert tensors
    assert all("norm" in name and not one.any() for name, one in tensors.items())


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"settings": replace(SETTINGS, rate=1.0)}, "rate: 0.003 there, 1.0 here"),
        ({"settings": replace(SETTINGS, steps=7)}, "steps: 6 there, 7 here"),
        ({"loss": LossSettings(temperature=2.0)}, "loss temperature: 1.0 there, 2.0 here"),
        ({"rows": small_rows(seed=6)}, "data: "),
    ],
)
def test_the_checkpoint_of_another_run_is_refused_and_stays(whole, change, told):
    before = stored(whole[1].last)
    with pytest.raises(OtherRun, match=told):
        run(whole[0], **change)
    assert stored(whole[1].last) == before


def test_another_teacher_or_student_is_another_run(whole):
    teacher = small_teacher()
    teacher.digest = "another"
    with pytest.raises(OtherRun, match="teacher: the teacher there, another here"):
        run(whole[0], teacher=teacher)


def test_what_changes_no_number_may_change(tmp_path, whole):
    run(tmp_path, watcher=stopping_after(3))
    free = replace(SETTINGS, micro=2, save_every=1, keep=1, checkpoint_activations=True)
    run(tmp_path, free, loss=LossSettings(chunk=7))
    assert losses(tmp_path) == pytest.approx(losses(whole[0]), rel=1e-5)


def test_a_run_at_a_constant_rate_can_be_made_longer(tmp_path):
    constant = replace(SETTINGS, schedule="constant")
    run(tmp_path, replace(constant, steps=2))
    run(tmp_path / "at once", constant)
    run(tmp_path, constant)
    assert losses(tmp_path) == losses(tmp_path / "at once")


@pytest.mark.parametrize("harm", ["state.json", "rank-00000-of-00001.safetensors"])
@pytest.mark.parametrize("how", ["cut", "gone"])
def test_a_broken_checkpoint_is_named_and_the_one_before_goes_on(tmp_path, whole, harm, how):
    out = tmp_path / "out"
    run(out, replace(SETTINGS, save_every=2, keep=9), watcher=stopping_after(4))
    path = out / "checkpoints/step-00000004/training" / harm
    if how == "cut":
        path.write_bytes(path.read_bytes()[:-9])
    else:
        path.unlink()
    with pytest.raises(InvalidTraining, match=rf"step-00000004 is broken \({harm}.*Remove it"):
        run(out)
    shutil.rmtree(path.parent.parent)
    run(out)
    assert losses(out) == losses(whole[0])


def test_two_runs_never_write_one_folder(tmp_path):
    met = []

    def second(_metrics, _steps):
        with pytest.raises(Busy, match="Another run trains in"):
            run(tmp_path)
        met.append(True)

    run(tmp_path, replace(SETTINGS, steps=1), watcher=Watcher(step=second))
    assert met
