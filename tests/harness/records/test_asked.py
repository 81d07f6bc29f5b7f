"""What people see of a document's requests: its prompt and the texts to choose from, in the file and not in the database."""

import json

import pyarrow.parquet as pq
import pytest
from support.records import record, samples

from harness.baselines.outcomes import outcomes_of
from harness.records.asked import asked
from harness.records.files import write_record
from harness.store.query import Reader
from harness.store.rows.tables import TABLES

TWO = [["Q? A:", " yes"], ["Q? A:", " no"]]


@pytest.mark.parametrize(
    ("requests", "prompt", "choices"),
    [
        (TWO, "Q? A:", [" yes", " no"]),
        ([*TWO, ["", " yes"], ["", " no"]], "Q? A:", [" yes", " no"]),
        ([["The hat or the hen. The hat", "ran."], ["The hat or the hen. The hen", "ran."]],
         "The hat or the hen. The hat", ["hat", "hen"]),
        ([["hat", "ran."], ["hen", "ran."]], "hat", ["hat", "hen"]),
        ([["Once upon a", " time"]], "Once upon a", None),
        ([["Write a poem.", {"until": ["\n"]}]], "Write a poem.", None),
        ([["a whole text"]], "a whole text", None),
        ([["one", " a"], ["two", " b"]], "one", None),
        ([], None, None),
    ],
)  # fmt: skip
def test_a_prompt_is_the_first_context_and_choices_are_what_differs(requests, prompt, choices):
    told = asked(requests)
    assert told["prompt"] == prompt
    assert (told["choices"] and json.loads(told["choices"])) == choices


@pytest.fixture
def written(tmp_path):
    """A record whose samples say what was asked, and its folder."""
    rows = [row | asked([["Qé? A:", " yes"], ["Qé? A:", " no"]]) for row in samples()]
    return write_record(tmp_path / "results", record(), rows)


def test_texts_are_in_the_file_and_neither_in_the_database_nor_in_a_baseline(tmp_path, written):
    table = pq.read_table(written / "samples.parquet")
    assert table.column("prompt").to_pylist() == ["Qé? A:"] * 2
    assert table.column("choices").to_pylist() == ['[" yes", " no"]'] * 2
    (row, _) = Reader(tmp_path / "results").rows("SELECT * FROM samples")
    assert not {"prompt", "choices"} & set(row)
    assert not {"prompt", "choices"} & set(outcomes_of(written / "samples.parquet").column_names)


def test_a_file_without_texts_is_read_as_before(tmp_path):
    folder = write_record(tmp_path / "results", record(), samples())
    assert pq.read_table(folder / "samples.parquet").column("prompt").null_count == 2
    assert len(Reader(tmp_path / "results").rows("SELECT * FROM samples")) == 2


def test_the_database_has_no_column_of_prompts():
    assert not {"prompt", "choices"} & set(TABLES["sample_rows"])
