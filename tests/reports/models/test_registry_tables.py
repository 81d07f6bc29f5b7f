"""What the registry says of a model, as the tables of its page: printed figures by source, statements, dimensions, limits."""

from dataclasses import replace

import pytest
from support.boards import facts, row, small

from reports.models import listing, published, registered
from reports.models.grid import Grid, Target, grid, listed, percent, short
from reports.models.limits import CONTEXT, IN_CACHE, limits
from reports.models.subject import Subject, subjects
from zoo.arch.gpus import load_gpus
from zoo.arch.roofline import decode_bytes, memory_bytes
from zoo.registry.loader import load_registry

REGISTRY = load_registry()
MODELS = REGISTRY.models


def line(found: Grid | None, first: str) -> list[str]:
    assert found is not None
    return [cell.text for row in found.lines if row.cells[0].text == first for cell in row.cells]


def column(found: Grid, name: str) -> int:
    return next(index for index, column in enumerate(found.columns) if name in column.name)


@pytest.mark.parametrize("model", MODELS)
def test_every_printed_figure_stands_under_its_own_source(model):
    found = published.side_by_side(MODELS[model], ())
    for score in MODELS[model].published_scores:
        assert found is not None
        at = [i for i, column in enumerate(found.columns) if column.to == Target("source", score.source_id)]
        cells = [row.cells[i].text for row in found.lines if row.cells[0].text == score.task for i in at]
        assert any(f"{score.value!r}" in text for text in cells), (score.task, score.source_id)


def test_tasks_on_which_sources_disagree_are_marked():
    findings = published.findings_in(REGISTRY)["llama-3.1-minitron-4b-width"]
    found = published.side_by_side(MODELS["llama-3.1-minitron-4b-width"], findings)
    assert found is not None
    assert [row.cells[0].text for row in found.lines if row.cells[0].mark == "contested"] == ["mbpp"]


def test_two_sets_of_weights_are_no_contradiction():
    found = published.side_by_side(MODELS["minitron-8b"], published.findings_in(REGISTRY)["minitron-8b"])
    assert found is not None
    assert {row.cells[0].detail for row in found.lines if row.cells[0].text == "mmlu"} == {"differs between weights"}


def test_statements_that_differ_come_first():
    found = published.statements(MODELS["minitron-8b"])
    assert found is not None
    verdicts = [row.cells[column(found, "Verdict")].text for row in found.lines]
    assert verdicts == sorted(verdicts, key=lambda verdict: verdict != "differs")
    assert verdicts[0] == "differs"


def test_published_speeds_say_which_batches_were_not_equal():
    found = published.speeds(MODELS["llama-3.1-minitron-4b-width"], REGISTRY)
    assert found is not None
    batch = column(found, "Batch")
    assert [row.cells[batch].text for row in found.lines] == ["64 against 32", "not stated"]
    assert [row.cells[batch].mark for row in found.lines] == ["bad", ""]


@pytest.mark.parametrize("model", MODELS)
def test_every_source_that_a_page_cites_is_listed_on_it(model):
    cited = {fact.source for fact in registered.facts_of(subject(model)) if fact.source}
    listed_there = {name for name, _ in published.sources_of(MODELS[model], REGISTRY)}
    assert cited <= listed_there


def subject(model: str) -> Subject:
    return Subject(facts(model), MODELS[model], ())


def test_dimensions_stand_beside_the_parents():
    found = registered.dimensions(MODELS["minitron-8b"], REGISTRY)
    assert line(found, "Hidden size") == ["Hidden size", "4,096", "6,144", percent(4096 / 6144)]
    assert line(found, "Vocabulary")[3] == ""


def test_a_model_without_a_parent_has_no_column_for_one():
    found = registered.dimensions(MODELS["gemma-7b"], REGISTRY)
    assert found is not None
    assert [column.name for column in found.columns] == ["Dimension", "This model"]


def test_an_unknown_licence_is_said_to_be_unknown():
    model = MODELS["minitron-8b"].model_copy(update={"licence": None})
    told = {fact.name: fact.text for fact in registered.facts_of(Subject(facts("minitron-8b"), model, ()))}
    assert told["Licence"].startswith("unknown")


@pytest.mark.parametrize("model", MODELS)
def test_no_limit_is_beaten_by_the_bytes_that_a_step_reads(model):
    found, dims = limits(MODELS[model]), MODELS[model].architecture
    if isinstance(found, str):
        assert "no source states" in found
        return
    assert len(found.lines) == len(load_gpus())
    if "as stored" in found.notes[0]:
        return
    for shown, gpu in zip(found.lines, load_gpus().values(), strict=True):
        cells = {column.name: cell.text for column, cell in zip(found.columns, shown.cells, strict=True)}
        alone = cells["Tokens/s, batch 1"].replace(",", "")
        if alone.isdigit():
            assert int(alone) <= gpu.bytes_per_s / decode_bytes(dims) + 1
        batch = cells["Largest batch"].replace(",", "")
        if batch.isdigit():
            assert (
                memory_bytes(dims, int(batch), CONTEXT)
                <= gpu.memory_bytes
                < memory_bytes(dims, int(batch) + 1, CONTEXT)
            )


def test_weights_that_a_cache_holds_are_said_to_have_no_such_limit():
    nano, large = limits(MODELS["nano-teacher"]), limits(MODELS["gemma-7b"])
    assert isinstance(nano, Grid)
    assert isinstance(large, Grid)
    assert IN_CACHE in nano.notes
    assert IN_CACHE not in large.notes


def test_figures_are_counted_once_in_the_list_of_tasks():
    board = small()
    found = listing.tasks(board)
    total = sum(len(figures) for row in board.rows for figures in row.figures.values())
    published_, measured_ = column(found, "Published"), column(found, "Measured")
    counts = [row.cells[at].text for row in found.lines for at in (published_, measured_)]
    assert sum(int(count) for count in counts if count.isdigit()) == total


def test_empty_columns_are_left_out_and_no_rows_are_no_table():
    from reports.models.grid import Cell, Column

    columns = (Column("a"), Column("b"), Column("c"))
    found = grid("", columns, [[Cell(""), Cell(""), Cell("1")]])
    assert found is not None
    assert [column.name for column in found.columns] == ["a", "c"]
    assert grid("", columns, []) is None


def test_words_and_shares_are_written_alike_everywhere():
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert percent(float("nan")) == percent(None) == "–"
    assert percent(-0.117) == "−11.7\xa0%"
    assert short("x" * 10_000, 5) == "xxxx…"


def test_each_set_of_weights_of_a_registry_model_has_its_entry_and_a_folder_of_that_name_has_none():
    names = {"nano-teacher@0123abcd": True, "nano-teacher": True, "./nano-teacher": False}
    rows = tuple(row(facts(name, registered=registered), {}) for name, registered in names.items())
    found = subjects(replace(small(), rows=rows), REGISTRY)
    assert [subject.entry.id if subject.entry else None for subject in found] == ["nano-teacher", "nano-teacher", None]
