"""What a page shows of a task's documents: the first of them, shortened, with what was asked, answered and right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.runs.samples import SHOWN, read_samples, sample_of
from reports.runs.texts import Excerpt, excerpt, first_words, last_words
from reports.site.frame import environment

ROOM = 1_000_000


def row(doc_id: int = 7, **changes: Any) -> dict[str, Any]:
    """A document of a multiple choice, whose second choice is right and the likeliest."""
    return {
        "doc_id": doc_id, "metric": "acc", "filter": "none", "value": 1.0, "weight": None, "target": "1",
        "responses": "[[[-4.5, false]], [[-1.25, true]]]", "filtered": "[[-4.5, false], [-1.25, true]]",
        "gold": 1, "gold_logprob": -1.25, "prompt": "Example: a cup.\n\nQuestion: which is a name?\nAnswer:",
        "choices": '[" cup", " Ben"]', **changes,
    }  # fmt: skip


def generated(**changes: Any) -> dict[str, Any]:
    """A document to which the model wrote an answer."""
    fields = {
        "metric": "exact_match", "filter": "strict-match", "value": 0.0, "target": "2 + 2\n#### 4", "gold": None,
        "responses": '[["so it is 5"]]', "filtered": '["[invalid]"]', "choices": None,
    }  # fmt: skip
    return row(**{**fields, **changes})


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def test_a_choice_is_shown_with_its_log_probability_and_what_was_right():
    sample = sample_of([row(), row(metric="acc_norm", value=0.0)])
    assert (sample.number, sample.good, sample.said, sample.wanted) == (7, True, "Ben", "")
    assert sample.question == "Question: which is a name?"
    assert [(c.text.before, c.logprob, c.likeliest, c.right, c.greedy) for c in sample.choices] == [
        ("cup", "-4.50", False, False, False),
        ("Ben", "-1.25", True, True, True),
    ]
    assert sample.values == (("acc", "1"), ("acc_norm", "0"))


def test_a_wrong_choice_says_what_was_right():
    sample = sample_of([row(gold=0, value=0.0)])
    assert (sample.good, sample.said, sample.wanted) == (False, "Ben", "cup")


def test_a_written_answer_is_shown_with_what_each_filter_read_of_it():
    sample = sample_of([generated(), generated(filter="flexible-extract", value=0.0, filtered='["5"]')])
    assert [answer.before for answer in sample.answers] == ["so it is 5"]
    assert sample.read == (("strict-match", "[invalid]"), ("flexible-extract", "5"))
    assert (sample.good, sample.said, sample.wanted, sample.target.before) == (
        False,
        "so it is 5",
        "2 + 2 #### 4",
        "2 + 2\n#### 4",
    )
    assert [name for name, _ in sample.values] == ["exact_match (strict-match)", "exact_match (flexible-extract)"]


def test_of_many_answers_the_first_are_shown_and_the_others_counted():
    sample = sample_of([generated(responses=json.dumps([[f"answer {n}" for n in range(20)]]))])
    assert (len(sample.answers), sample.more_answers) == (5, 15)


def test_a_text_that_was_scored_has_its_log_probability_over_its_length():
    sample = sample_of([row(responses="[[-447.55]]", gold=None, choices=None, value=-447.55, weight=79.0)])
    assert (sample.good, sample.logprob, sample.values) == (None, "-447.55", (("acc", "-447.55 over 79"),))
    assert sample_of([row(responses="[[[-3.5, true]]]", gold=None, choices=None)]).logprob.startswith("-3.50, written")


def test_requests_without_a_context_are_no_choices():
    four = json.dumps([[[-1.0, False]], [[-2.0, False]], [[-0.1, False]], [[-0.2, False]]])
    assert [choice.logprob for choice in sample_of([row(responses=four)]).choices] == ["-1.00", "-2.00"]


def test_an_older_file_has_places_for_the_texts_that_it_lacks():
    older = {name: value for name, value in row().items() if name not in ("prompt", "choices", "gold")}
    sample = sample_of([older])
    assert [choice.text.before for choice in sample.choices] == ["choice 1", "choice 2"]
    assert (sample.prompt, sample.question, sample.said) == (None, "", "choice 2")


@pytest.mark.parametrize(
    "told",
    [None, "", "{}", "[[", "[]", "[[]]", "[[[]]]", "[null]", "[[[1, 2]]]", '[["a", 3]]', "[[[null, true]]]", "NaN"],
)
def test_answers_in_no_known_form_are_none(told: str | None):
    sample = sample_of([row(responses=told, filtered=told, choices=told, gold=None, value=None)])
    assert (sample.choices, sample.answers, sample.good) == ((), (), None)
    assert sample.values == (("acc", "–"),)


def test_the_first_documents_of_a_long_file_are_read_with_all_their_rows(tmp_path: Path):
    rows = [row(n, filter=name, prompt=f"{n} {name}" * 10) for name in ("a", "b") for n in range(3, 2000, 3)]
    found = read_samples(write(tmp_path / "s.parquet", rows), ROOM)
    assert found is not None
    assert [sample.number for sample in found.samples] == list(range(3, 3 * SHOWN + 1, 3))
    assert {len(sample.values) for sample in found.samples} == {2}
    assert (found.documents, found.prompts) == (666, True)


def test_no_more_are_shown_than_there_is_room_for_but_always_one(tmp_path: Path):
    path = write(tmp_path / "s.parquet", [row(n, prompt="<" * 9000) for n in range(40)])
    each = sample_of([row(prompt="<" * 9000)]).cost
    assert each > 2000 * len("&lt;")
    for room, shown in ((0, 1), (each, 1), (10 * each, 10), (10 * each - 1, 9), (10**9, 40)):
        found = read_samples(path, room)
        assert found is not None
        assert len(found.samples) == shown


def test_no_file_is_no_samples_and_a_broken_one_is_told(tmp_path: Path):
    assert read_samples(tmp_path / "none.parquet", ROOM) is None
    (tmp_path / "cut.parquet").write_bytes(b"PAR1 cut short")
    with pytest.raises(ValueError, match=r"cut\.parquet|Parquet"):
        read_samples(tmp_path / "cut.parquet", ROOM)
    with pytest.raises(ValueError, match="lacks doc_id"):
        read_samples(write(tmp_path / "other.parquet", [{"metric": "acc", "filter": "none", "value": 1.0}]), ROOM)


TEXTS = st.text(st.characters(codec="utf-8") | st.sampled_from("<>&\"' \n"), max_size=80)


@given(TEXTS, st.integers(0, 20), st.integers(0, 20))
def test_an_excerpt_says_how_much_it_leaves_out_and_costs_no_less_than_it_takes(text: str, first: int, last: int):
    found = excerpt(text, first, last)
    assert len(found.before) + len(found.after) + found.left_out == len(text)
    assert found.left_out == max(0, len(text) - first - last)
    shown = environment().from_string("{{ a }}{{ b }}").render(a=found.before, b=found.after)
    assert len(shown.encode()) <= found.cost


@given(TEXTS, st.integers(2, 30))
def test_words_in_a_line_are_a_line_of_at_most_that_length(text: str, most: int):
    for line in (first_words(text, most), last_words(text, most)):
        assert len(line) <= most
        assert "\n" not in line


def test_a_question_is_found_above_the_word_that_asks_for_the_answer():
    assert last_words("One.\n\nQ: two?\nAnswer:", 40) == "Q: two?"
    assert last_words("Answer:", 40) == "Answer:"
    assert last_words("a very long line that goes on", 10) == "…t goes on"
    assert Excerpt("a\x00").cost > 0
