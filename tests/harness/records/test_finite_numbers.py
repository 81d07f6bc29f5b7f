"""No NaN and no infinity in what is stored: JSON has no word for them."""

import json
import math

import pyarrow.parquet as pq
import pytest
from support.records import record, samples

from harness.records.derived import described
from harness.records.files import read_record, write_record
from harness.records.record import MetricScore


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_a_score_that_is_none_has_no_value_on_disk_and_no_interval(tmp_path, wrong):
    score = MetricScore(metric="acc", filter="none", value=wrong, n=2, higher_is_better=True, chance=wrong)
    folder = write_record(tmp_path, record(scores=(score,)))
    read = read_record(folder / "record.json")
    assert (read.scores[0].value, read.scores[0].chance) == (None, None)
    told = described(read)["scores"][0]
    assert (told["value"], told["stderr"], told["lower"]) == (None, None, None)
    json.dumps(described(read), allow_nan=False)


def test_a_documents_value_that_is_none_is_null_in_the_samples(tmp_path):
    folder = write_record(tmp_path, record(), samples((1.0, math.nan, -math.inf)))
    assert pq.read_table(folder / "samples.parquet")["value"].to_pylist() == [1.0, None, None]
