"""A model's page begins with sentences: each says no more than the figures do."""

from dataclasses import replace

import pytest
from support.boards import CHOICE, GSM8K, MMLU, facts, measured, published, row, small

from reports.board.model import Board, Share
from reports.models.registered import tokens_in_words
from reports.models.story import in_short, in_words, story
from reports.models.subject import Subject, subjects
from zoo.registry.loader import load_registry


def subject(model: str, board: Board | None = None) -> Subject:
    return next(found for found in subjects(board or small(), load_registry()) if found.facts.id == model)


def told(model: str, board: Board | None = None) -> str:
    return " ".join(story(subject(model, board), {"big-15b": "Big 15B"}, ())).replace("\xa0", " ")


def test_a_child_is_told_by_its_parent_size_and_tokens():
    assert told("small-8b").startswith(
        "Made from Big 15B: 8.00 billion parameters, 53 % of its parent's, distilled on 94 billion tokens."
    )


def test_what_is_kept_names_its_task_interval_and_source():
    assert "By published pairs, it keeps 92.6 % [91.0 %, 94.2 %] of Big 15B's score above chance on mmlu." in told(
        "small-8b"
    )
    assert "Measured, it keeps 97.0 % [93.0 %, 101.0 %] of nano-teacher's score above chance on nano_choice." in told(
        "nano-cut"
    )


def with_shares(**shares: Share) -> Board:
    keys = {"mmlu": MMLU, "gsm8k": GSM8K, "choice": CHOICE}
    model = facts("child", parent="big-15b")
    cells = {keys[name]: (measured(0.5, retained=share),) for name, share in shares.items()}
    return replace(small(), rows=(row(model, cells),))


def test_several_tasks_give_the_least_and_the_most_and_never_a_mean():
    board = with_shares(
        mmlu=Share("big-15b", 0.9, 0.8, 1.0, 0.9, "measured"), gsm8k=Share("big-15b", 0.5, 0.4, 0.6, 0.5, "measured")
    )
    assert "between 50.0 % [40.0 %, 60.0 %] (gsm8k) and 90.0 % [80.0 %, 100.0 %] (mmlu)" in told("child", board)
    assert "70.0" not in told("child", board)


def test_a_share_without_an_interval_has_no_part_where_others_have_one():
    board = with_shares(
        mmlu=Share("big-15b", 0.9, 0.8, 1.0, 0.9, "measured"), gsm8k=Share("big-15b", 9.0, None, None, 9.0, "measured")
    )
    assert "900" not in told("child", board)
    assert "900.0 %" in told("child", with_shares(gsm8k=Share("big-15b", 9.0, None, None, 9.0, "measured")))


def test_a_part_of_a_task_is_not_what_is_kept():
    part = measured(0.5, n=10, total=1000, retained=Share("big-15b", 0.9, 0.8, 1.0, 0.9, "measured"))
    board = replace(small(), rows=(row(facts("child", parent="big-15b"), {MMLU: (part,)}),))
    assert "keeps" not in told("child", board)


def test_measured_speed_goes_before_published():
    assert "It is 1.80× as fast as nano-teacher on AMD EPYC (at equal batch, measured)." in told("nano-cut")
    assert "(as published)" in told("small-8b")


def test_a_model_without_figures_says_so():
    board = replace(small(), rows=(row(facts("alone", parameters=None), {}),))
    assert (
        told("alone", board) == "Nobody has published a figure that this registry cites, and none is measured here yet."
    )


def test_verdicts_are_counted_among_those_that_can_be_compared():
    cells = {
        MMLU: (measured(0.5, verdict="reproduced"), published(0.5)),
        GSM8K: (measured(0.5, verdict="not comparable"),),
    }
    board = replace(small(), rows=(row(facts("one"), cells),))
    assert "2 figures measured here, 1 of 1 that can be compared reproduced." in told("one", board)


@pytest.mark.parametrize(
    ("number", "words", "brief"),
    [
        (8_271_699_968, "8.27 billion", "8.27 B"),
        (15_628_775_424, "15.6 billion", "15.6 B"),
        (729_312, "729 thousand", "729 K"),
        (1_384_272, "1.38 million", "1.38 M"),
        (12, "12", "12"),
    ],
)
def test_large_numbers_are_told_in_three_digits(number, words, brief):
    assert (in_words(number), in_short(number)) == (words, brief)


def test_tokens_are_told_in_words():
    assert [tokens_in_words(n) for n in (94_000_000_000, 15_000_000_000_000, 999)] == [
        "94 billion tokens", "15 trillion tokens", "999 tokens",
    ]  # fmt: skip
