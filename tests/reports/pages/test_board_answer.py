"""The sentences of the first screen."""

import random
from dataclasses import replace

from support.boards import CHOICE, GSM8K, MMLU, RUN, empty, facts, measured, published, row, small

from reports.board.model import Board, BoardRow, Figure, Share
from reports.pages.board_answer import answers, fastest, lead_first, verdicts


def kept(value: float, half: float = 0.02, parent: str = "big") -> Share:
    return Share(parent, value, value - half, value + half, value, "measured", paired=True)


def child(name: str, *shares: Share | None, kind: str = "base", parameters: int = 4) -> BoardRow:
    given = dict(zip((MMLU, GSM8K), shares, strict=False))
    figures = {key: (measured(0.5, retained=share),) for key, share in given.items() if share}
    return row(facts(name, parent="big", kind=kind, parameters=parameters, parent_parameters=10), figures)


def board(*rows: BoardRow) -> Board:
    return Board(small().columns, rows)


def named(given: Board) -> list[str]:
    return [claim.name for claim in answers(given, lead_first(given))]


def test_the_headline_is_the_model_whose_weakest_task_keeps_most() -> None:
    given = board(child("showy", kept(0.99), kept(0.40)), child("steady", kept(0.80), kept(0.70)))
    claim = answers(given, ("paper",))[0]
    assert claim.name == "steady"
    assert claim.weakest.startswith("70.0\u00a0% (68.0–72.0)")
    assert claim.strongest == "80.0\u00a0%"


def test_no_order_of_rows_changes_the_headline() -> None:
    rows = [child(f"m{at}", kept(0.5 + at / 100), kept(0.7)) for at in range(8)] + [
        child("same", kept(0.57), kept(0.7))
    ]
    told = {
        (claim.name, claim.weakest) for seed in range(20) for claim in answers(board(*_mixed(rows, seed)), ("paper",))
    }
    assert told == {("m7", "57.0\u00a0% (55.0–59.0)")}


def test_a_model_with_few_tasks_does_not_win_by_them() -> None:
    assert named(board(child("whole", kept(0.9), kept(0.6)), child("half", kept(0.95)))) == ["whole"]


def test_those_that_the_data_do_not_tell_apart_are_named() -> None:
    given = board(
        child("a", kept(0.80), kept(0.9)), child("b", kept(0.77), kept(0.9)), child("c", kept(0.5), kept(0.9))
    )
    assert answers(given, ("paper",))[0].equals == ("b",)


def test_base_models_are_not_compared_with_others_and_large_ones_are_no_small_models() -> None:
    given = board(
        child("chat", kept(0.99), kind="instruct"), child("base", kept(0.5)), child("copy", kept(0.99), parameters=10)
    )
    assert named(given) == ["base"]


def test_parts_of_tasks_are_no_answer() -> None:
    part = row(
        facts("part", parent="big", parameters=4, parent_parameters=10),
        {MMLU: (measured(0.5, n=10, total=100, retained=kept(0.99)),)},
    )
    assert named(board(part)) == []


def test_measured_and_published_are_told_apart() -> None:
    claims = answers(small(), lead_first(small()))
    assert [(claim.name, claim.measured) for claim in claims] == [("nano-cut", True), ("small-8b", False)]
    assert claims[0].speed_ratio == "1.80×"
    assert claims[0].size == "50\u00a0%"


def test_the_lead_group_is_the_one_with_most_measured_figures() -> None:
    assert lead_first(small()) == ("nano", "paper")
    unmeasured = replace(small(), rows=small().rows[:2])
    assert lead_first(unmeasured) == ("paper", "nano")
    assert lead_first(empty()) == ()


def test_speed_has_a_sentence_where_no_claim_tells_it() -> None:
    slow = row(facts("other"), {CHOICE: (measured(0.5),)}, speedups=small().rows[1].speedups)
    told = fastest(Board(small().columns, (slow,)), ())
    assert told is not None
    assert (told.name, told.ratio) == ("other", "1.60×")
    assert fastest(small(), answers(small(), lead_first(small()))) is None


def test_verdicts_are_counted() -> None:
    figures: tuple[Figure, ...] = (measured(0.5, verdict="differs", run_id=RUN), published(0.6))
    twice = board(
        row(facts("a"), {MMLU: figures}), row(facts("b"), {MMLU: figures, GSM8K: (measured(1, verdict="reproduced"),)})
    )
    assert verdicts(twice) == (("differs", 2), ("reproduced", 1))


def _mixed(rows: list[BoardRow], seed: int) -> list[BoardRow]:
    return random.Random(seed).sample(rows, len(rows))
