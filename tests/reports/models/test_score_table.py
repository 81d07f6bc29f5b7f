"""The table of a model's scores: what counts first, what it must be read with, and nothing twice."""

from dataclasses import replace

from support.boards import CPU, MMLU, RUN, facts, measured, published, row, small

from reports.board.model import BoardRow, Figure, Share
from reports.models.grid import Grid, Target
from reports.models.scores import SOME_UNCHECKED, UNCHECKED, scores, share_words, speedups
from reports.models.subject import Subject


def table(*figures: Figure, **ran: str) -> Grid:
    return of(row(facts("one"), {MMLU: figures}, **ran))


def of(*rows: BoardRow) -> Grid:
    found = scores(Subject(rows[0].facts, None, rows), replace(small(), rows=rows))
    assert found is not None
    return found


def texts(found: Grid, column: str) -> list[str]:
    at = next(index for index, each in enumerate(found.columns) if each.name == column)
    return [line.cells[at].text for line in found.lines]


def test_measured_stands_before_published_whatever_run_it_is_from():
    found = of(
        row(facts("one"), {MMLU: (measured(0.6), published(0.7))}, hardware=CPU, backend="hf"),
        row(facts("one"), {MMLU: (measured(0.5),)}, hardware="GPU", backend="hf"),
    )
    assert texts(found, "From") == ["measured", "measured", "published"]
    assert texts(found, "Value") == ["0.6000", "0.5000", "0.7000"]


def test_each_figure_leads_to_its_run_or_its_source():
    found = table(measured(0.6), published(0.7), hardware=CPU, backend="hf", dtype="bfloat16")
    first, second = (line.cells[1] for line in found.lines)
    assert (first.to, second.to) == (Target("run", RUN), Target("source", "minitron-paper"))
    assert first.detail == f"{CPU} · hf · bfloat16, 2026-11-30 03:29"


def test_an_interval_that_nobody_measured_is_marked():
    found = table(measured(0.6), published(0.7))
    assert [text.startswith("≈ ") for text in texts(found, "95 % interval")] == [False, True]
    assert any("nobody measured" in note for note in found.notes)
    assert table(measured(0.6)).notes == ()


def test_a_part_of_a_task_says_so_once():
    found = table(measured(0.6, n=200, total=10_042, notes=("200 of 10,042 documents", "3 prompts cut")))
    (line,) = found.lines
    details = [cell.detail for cell in line.cells]
    assert "of 10,042" in details
    assert texts(found, "To be read with") == ["3 prompts cut"]


def test_an_unchecked_backend_is_said_once_for_all():
    found = table(measured(0.6, notes=(UNCHECKED,)), measured(0.5, notes=(UNCHECKED,)))
    assert found.notes == (SOME_UNCHECKED,)
    assert "To be read with" not in [column.name for column in found.columns]


def test_rank_and_verdict_stand_in_words():
    found = table(
        measured(0.6, rank=2, tied=3, verdict="differs"),
        measured(0.5, verdict="differs", notes=("differs, against x",)),
    )
    assert texts(found, "To be read with") == ["differs, place 2 of its kind, shared by 3", "differs, against x"]


def test_what_is_no_number_is_a_dash():
    nan = float("nan")
    found = table(Figure("measured", nan, nan, nan, run_id=RUN), Figure("measured", None, run_id=RUN))
    assert texts(found, "Value") == ["–", "–"]


def test_a_share_that_there_is_none_of_says_why():
    none = Share("p", None, None, None, 0.95, "published")
    assert share_words(none, 0.25) == ("parent not above chance", "raw 95.0\xa0%")
    assert share_words(none, None) == ("chance unknown", "raw 95.0\xa0%")
    whole = Share("p", 0.9, 0.8, 1.0, 0.95, "measured", paired=True)
    assert share_words(whole, 0.25) == ("90.0\xa0%", "80.0\xa0% to 100.0\xa0%, raw 95.0\xa0%, same documents")


def test_a_model_without_figures_has_no_table_and_no_speed():
    empty = row(facts("one"), {})
    assert scores(Subject(empty.facts, None, (empty,)), small()) is None
    assert speedups(()) is None


def test_a_figure_whose_number_of_documents_nobody_says_is_no_part():
    found = table(published(0.6, n=None, total=1000))
    assert [cell.detail for cell in found.lines[0].cells if "of 1,000" in cell.detail] == []
