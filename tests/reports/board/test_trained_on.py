"""A score of a task whose own text a folder was trained on, by its record: marked on the board and in tables."""

from support.compared import keep
from support.recovering import DISTILLED, rights, subject

from harness.records.record import Distilled, Weights
from harness.records.trained_on import NOTE
from harness.store.query import Reader
from reports.board.build import build_board
from reports.tables.board import figure_text
from reports.tables.measured import measured_table, newest_scores
from reports.tables.scores import score_table
from zoo.registry.loader import load_registry


def test_what_a_folders_text_held_is_marked_wherever_its_score_is_shown(tmp_path):
    weights = Weights(name="cut", digest="c")
    said = Distilled(student=weights, teacher=weights, trained_on=("winogrande",))
    mine = subject("mine", kind="folder", entry=None, source="/models/mine", distilled=said)
    record = keep(tmp_path, "mine", rights()[DISTILLED], subject=mine)
    other = mine.model_copy(update={"id": "other", "source": "/models/other", "weights_digest": "o", "distilled": None})
    keep(tmp_path, "other", rights()[DISTILLED], subject=other)
    reader = Reader(tmp_path)
    rows = [row for row in build_board(reader, load_registry()).rows if row.facts.id in ("mine", "other")]
    figures = {row.facts.id: cell[0] for row in rows for cell in row.figures.values()}
    assert {model: NOTE in figure.notes for model, figure in figures.items()} == {"mine": True, "other": False}
    assert ["§" in figure_text(figures[model]) for model in ("mine", "other")] == [True, False]
    tables = [measured_table(newest_scores(reader, model)) for model in ("mine", "other")]
    assert [[row[0] for row in table.rows] for table in tables] == [["winogrande §"], ["winogrande"]]
    assert score_table([record]).rows[0][0] == "winogrande §"
