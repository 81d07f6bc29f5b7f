"""Which figures a cell holds and which counts first: the newest good one of each source, whole before part."""

from datetime import UTC, datetime, timedelta

from support.board_registry import WINOGRANDE, cell, named, rows_of
from support.records import record

from harness.records.record import Contribution, Imported
from reports.board.model import ColumnKey

START = datetime(2026, 11, 21, tzinfo=UTC)
RIGHT, WRONG = [1.0] * 8, [0.0] * 4 + [1.0] * 4
IMPORTED = {
    "source": "imported",
    "imported": Imported(tool="lm-eval", tool_version=None, file="results.json", sha256="0" * 64, time="stated"),
}
CONTRIBUTED = {"source": "contributed", "contribution": Contribution(by="a lab", file="b.zip", sha256="0" * 64)}
PART = {"limit": 8, "score": {"total": 100}}


def at(day):
    return {"finished_at": START + timedelta(days=day)}


def setting(**changes):
    return {"setting": record().setting.model_copy(update=changes)}


def told(figures):
    return [(figure.source, figure.value) for figure in figures]


def test_the_newest_result_of_a_cell_counts_whatever_the_order_of_writing(results):
    results.keep("child", WRONG, **at(2))
    results.keep("child", RIGHT, **at(1))
    assert told(cell(results.board(), "child"))[0] == ("measured", 0.5)


def test_a_newer_failure_hides_nothing_and_is_told(results):
    kept = results.keep("child", WRONG, **at(1))
    failed = results.keep("child", [], status="failed", reason="no memory", scores=(), **at(2))
    board = results.board()
    assert cell(board, "child")[0].run_id == kept.run_id
    (failure,) = board.failures
    assert (failure.model, failure.task, failure.reason, failure.run_id) == (
        "child", "winogrande", "no memory", failed.run_id,
    )  # fmt: skip
    assert failure.finished_at == "2026-11-23T00:00:00Z"


def test_a_failure_that_a_good_run_followed_is_history(results):
    results.keep("child", [], status="failed", reason="no memory", scores=(), **at(1))
    results.keep("child", WRONG, **at(2))
    assert results.board().failures == ()


def test_only_failures_leave_the_board_without_a_measured_figure(results):
    results.keep("mine", [], status="failed", reason="no memory", scores=(), **at(1))
    board = results.board()
    assert (board.measured, len(board.failures), board.runs) == (0, 1, 1)
    (row,) = rows_of(board, "mine")  # it has a page of its own
    assert row.figures == {}


def test_a_group_that_failed_is_told_once_and_not_with_its_tasks(results):
    run, lost = record().run_id, {"status": "failed", "reason": "no memory", "scores": ()}
    for task, members in (("mmlu", ("mmlu_law",)), ("mmlu_law", ())):
        results.keep("child", [], task, run_id=run, members=members, **lost)
    assert [failure.task for failure in results.board().failures] == ["mmlu"]


def test_a_part_stands_beside_the_whole_and_has_no_rank(results):
    results.keep("child", WRONG, **at(1))
    results.keep("child", RIGHT, **at(2), **PART)
    whole, published, part = cell(results.board(), "child")
    assert (whole.value, whole.rank, whole.notes) == (0.5, 1, ("unchecked backend",))
    assert (part.value, part.rank, part.n, part.total) == (1.0, None, 8, 100)
    assert part.notes[0] == "8 of 100 documents"
    assert published.source == "published"


def test_a_part_alone_comes_after_what_is_published_of_the_whole(results):
    results.keep("child", RIGHT, **PART)
    assert [figure.source for figure in cell(results.board(), "child")] == ["published", "measured"]


def test_sources_stand_side_by_side_ours_first(results):
    results.keep("child", RIGHT, **at(3), **IMPORTED)
    results.keep("child", RIGHT, **at(4), **CONTRIBUTED)
    results.keep("child", WRONG, **at(1))
    found = cell(results.board(), "child")
    assert [(figure.source, figure.origin) for figure in found] == [
        ("measured", ""), ("imported", "lm-eval"), ("contributed", "a lab"), ("published", "card"),
    ]  # fmt: skip
    assert [figure.rank for figure in found] == [1, None, None, None]


def test_what_others_measured_is_the_newest_of_each_as_well(results):
    results.keep("child", RIGHT, **at(1), **IMPORTED)
    results.keep("child", WRONG, **at(2), **IMPORTED)
    assert told(cell(results.board(), "child"))[0] == ("imported", 0.5)


def test_two_contributors_on_the_same_hardware_are_kept_apart(results):
    for name, values in (("a lab", RIGHT), ("another", WRONG)):
        given = CONTRIBUTED["contribution"].model_copy(update={"by": name})
        results.keep("child", values, source="contributed", contribution=given)
    found = cell(results.board(), "child")
    assert [(figure.origin, figure.value) for figure in found][:2] == [("a lab", 1.0), ("another", 0.5)]


def test_published_scores_stand_once_a_model_on_its_first_row(results):
    results.keep("child", WRONG, **setting(gpu="L4"))
    results.keep("child", RIGHT, **setting(gpu="H100"))
    rows = rows_of(results.board(), "child")
    assert [row.hardware for row in rows] == ["H100", "L4"]
    assert [sum(f.source == "published" for c in row.figures.values() for f in c) for row in rows] == [10, 0]


def test_each_way_of_running_has_a_row(results):
    results.keep("child", WRONG, **setting(gpu="L4"))
    results.keep("child", WRONG, **setting(gpu=None, processor="EPYC, 2 threads"))
    results.keep("child", WRONG, **setting(gpu=None, processor=None, dtype="bfloat16"))
    results.keep("child", WRONG, **setting(gpu=None, processor=None, dtype="bfloat16", compute_dtype="float32"))
    assert sorted(row[1:4] for row in map(way, rows_of(results.board(), "child"))) == [
        ("hf", "bfloat16", "cpu"),
        ("hf", "bfloat16 weights, float32 products", "cpu"),
        ("hf", "float32", "EPYC, 2 threads"),
        ("hf", "float32", "L4"),
    ]


def way(row):
    return row.facts.id, row.backend, row.dtype, row.hardware


def test_prompts_through_a_chat_template_are_a_column_of_their_own(results):
    results.keep("tuned", RIGHT, chat_template="ab" * 32, suite="instruct")
    results.keep("tuned", WRONG)
    (row,) = rows_of(results.board(), "tuned")
    assert row.figures[WINOGRANDE._replace(filter="chat")][0].value == 1.0
    assert row.figures[WINOGRANDE][0].value == 0.5


def test_tasks_that_a_group_stands_for_have_no_columns(results):
    group = record(run_id=None)
    results.keep("child", RIGHT, task="mmlu", run_id=group.run_id, members=("mmlu_law", "mmlu_math"))
    results.keep("child", RIGHT, task="mmlu_law", run_id=group.run_id)
    results.keep("child", RIGHT, task="mmlu_math")  # by itself, in another run
    tasks = {column.key.task for column in results.board().columns}
    assert {"mmlu", "mmlu_math"} <= tasks
    assert "mmlu_law" not in tasks


def test_the_metric_that_the_suite_is_about_has_the_column_and_another_where_it_is_published(results):
    scores = [record().scores[0].model_copy(update={"metric": m, "filter": f, "value": v}) for m, f, v in (
        ("exact_match", "flexible-extract", 0.3), ("exact_match", "strict-match", 0.2), ("length", "none", 0.9),
    )]  # fmt: skip
    named_by = {"tasks": [{"task": "gsm8k", "metric": "exact_match", "filter": "strict-match"}]}
    results.keep("child", [], task="gsm8k", scores=tuple(scores), resolved_suite=named_by, shots=0)
    (row,) = rows_of(results.board(), "child")
    found = {key.filter: row.figures[key][0].value for key in row.figures if (key.task, key.shots) == ("gsm8k", 0)}
    assert found == {"strict-match": 0.2, "flexible-extract": 0.3}  # the card printed the second


def test_the_task_s_first_metric_has_the_column_where_no_suite_names_one(results):
    scores = [record().scores[0].model_copy(update={"metric": metric}) for metric in ("first", "second")]
    results.keep("child", [], task="odd", scores=tuple(scores))
    assert [column.key.metric for column in results.board().columns if column.key.task == "odd"] == ["first"]


def test_the_share_that_a_protocol_takes_is_its_whole(results):
    named_by = {"tasks": [{"task": "xlsum_en", "metric": "rougeL", "share": 0.2}]}
    results.keep("child", RIGHT, "xlsum_en", metric="rougeL", shots=3, resolved_suite=named_by, score={"total": 40})
    figure = cell(results.board(), "child", ColumnKey("xlsum_en", "rougeL", "none", 3))[0]
    assert (figure.n, figure.total, figure.rank) == (8, 8, 1)
    assert "20% of the documents, as its protocol takes" in figure.notes


def test_counts_of_what_is_shown(results):
    results.keep("child", WRONG)
    results.keep("child", WRONG, **IMPORTED)
    results.keep("parent", WRONG, **CONTRIBUTED)
    board = results.board()
    shown = [figure.source for row in board.rows for c in row.figures.values() for figure in c]
    assert (board.measured, board.imported, board.published) == (1, 2, shown.count("published"))
    assert (board.runs, board.newest) == (3, "2026-11-21T01:03:03Z")


def test_two_sets_of_weights_under_one_name_are_two_models(results):
    results.keep("child", WRONG, subject=named("child", weights_digest="1" * 64))
    results.keep("child", RIGHT, subject=named("child", weights_digest="2" * 64))
    board = results.board()
    shown = [row.facts for row in board.rows if row.facts.id.startswith("child@")]
    assert {facts.id for facts in shown} == {"child@11111111", "child@22222222"}
    assert all(facts.registered and facts.parent == "parent" for facts in shown)


def test_any_name_is_kept_as_it_is(results):
    names = ["<img onerror=alert(1)>", "é" * 5000, "\u202eabc", "a'; DROP TABLE records; --"]
    for name in names:
        results.keep(name, WRONG, subject=named(name, entry=None, kind="hub", source=name))
    board = results.board()
    for name in names:
        (row,) = rows_of(board, name)
        assert (row.facts.registered, row.facts.kind, row.facts.family) == (False, "unknown", "unregistered")
        assert row.figures[WINOGRANDE][0].value == 0.5


def test_a_value_that_is_no_number_is_missing(results):
    results.keep("child", WRONG, **at(1))
    results.keep("child", WRONG, score={"value": float("nan")}, **at(2))
    assert told(cell(results.board(), "child"))[0] == ("measured", 0.5)


def test_an_empty_store_shows_what_is_published(results):
    board = results.board()
    assert (board.measured, board.imported, board.runs, board.newest) == (0, 0, 0, "")
    assert board.published == 15
    assert {row.facts.id for row in board.rows} == {"parent", "child", "tuned", "silent"}
