"""What the options of a distillation mean together."""

from pathlib import Path

import pytest

from zoo.distill.choices import Choices
from zoo.distill.request import parse_request
from zoo.errors import ConflictingOptions, InvalidOption

PLAIN: Choices = {
    "data": ("a.jsonl",), "text_column": None, "skip_broken": False, "tokens": 32 * 1024 * 100, "recipe": None,
    "out": Path("out"), "loss": "kl", "temperature": 1.0, "clm": 0.0, "states": (), "embedding": False, "batch": None,
    "length": None, "micro": None, "rate": None, "least_rate": None, "warm_up": None, "seed": 0, "dtype": None,
    "optimizer": "adamw", "lora": None, "checkpoint_activations": False, "parallel": "auto", "offload": False,
    "device": "auto", "teacher_cache": None, "cache": None, "correct_teacher": "no", "correction_tokens": None,
    "correction_rate": None, "save_every": 0, "keep": 2, "eval_every": 0, "suite": None, "tasks": (), "overlap": True,
    "drop_overlap": False, "trackers": (), "dry_run": False,
}  # fmt: skip


def parsed(student="s", teacher="t", **words):
    return parse_request(student, teacher, {**PLAIN, **words})


def test_without_a_recipe_named_defaults_hold():
    train = parsed().train
    assert (train.steps, train.batch, train.length, train.rate, train.least_rate) == (100, 32, 1024, 1e-4, 1e-5)
    assert train.warm_up == 5  # a twentieth of so short a run


def test_a_recipe_brings_student_teacher_tokens_and_rates():
    request = parse_request(None, None, {**PLAIN, "recipe": "mistral-nemo-minitron-8b", "tokens": None})
    assert (request.student, request.teacher) == ("mistral-nemo-minitron-8b", "mistral-nemo-12b-corrected")
    assert (request.tokens, request.train.steps, request.train.warm_up) == (380_000_000_000, 60_399, 60)
    assert request.train.least_rate == 4.5e-7


def test_the_least_rate_stays_below_a_small_peak_rate():
    assert parsed(rate=5e-6).train.least_rate == pytest.approx(5e-7)
    with pytest.raises(InvalidOption, match="above the peak rate"):
        parsed(rate=1e-4, least_rate=1e-3)


def test_rows_of_another_length_take_other_steps():
    assert parsed().over(512).train.steps == 200


def test_a_correction_is_at_a_fifth_of_the_rate_over_as_many_tokens():
    request = parsed(correct_teacher="before", rate=1e-3)
    assert request.correction is not None
    assert request.correction.rate == pytest.approx(2e-4)
    assert request.correction.tokens == request.tokens
    assert parsed(correct_teacher="beside", correction_rate=7e-5).correction.rate == 7e-5


def test_loss_states_and_cache_are_read():
    request = parsed(loss="reverse-kl", states=("29:13",), embedding=True)
    assert (request.loss.divergence, request.loss.states, request.loss.embedding) == ("reverse_kl", ((29, 13),), True)
    assert parsed(teacher_cache=Path("c"), cache="sampled:64").sampled == 64
    assert parsed(teacher_cache=Path("c")).sampled is None


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        ({"tokens": None}, ConflictingOptions),
        ({"data": ()}, ConflictingOptions),
        ({"out": None}, ConflictingOptions),
        ({"cache": "exact"}, ConflictingOptions),
        ({"cache": "top:5", "teacher_cache": Path("c")}, InvalidOption),
        ({"cache": "sampled:0", "teacher_cache": Path("c")}, InvalidOption),
        ({"cache": "sampled:8", "teacher_cache": Path("c"), "loss": "reverse-kl"}, ConflictingOptions),
        ({"cache": "sampled:8", "teacher_cache": Path("c"), "states": ("1:1",)}, ConflictingOptions),
        ({"states": ("1-2",)}, InvalidOption),
        ({"eval_every": 10}, ConflictingOptions),
        ({"suite": "nano", "tasks": ("arc_easy",)}, ConflictingOptions),
        ({"correction_tokens": 10}, ConflictingOptions),
        ({"correct_teacher": "beside", "teacher_cache": Path("c")}, ConflictingOptions),
        ({"overlap": False, "drop_overlap": True}, ConflictingOptions),
        ({"offload": True, "parallel": "ddp"}, ConflictingOptions),
        ({"offload": True, "optimizer": "adamw-8bit"}, ConflictingOptions),
        ({"offload": True, "correct_teacher": "beside"}, ConflictingOptions),
    ],
)
def test_options_that_do_not_go_together_are_refused(words, cause):
    with pytest.raises(cause):
        parsed(**words)
