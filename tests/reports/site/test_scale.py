"""200 invented runs through the store and the pages that grow with them: benchmarks/site_scale.py does it with 10,000."""

from __future__ import annotations

import shutil

import pytest

from benchmarks import site_scale
from benchmarks.synthetic.models import HOSTILE
from benchmarks.synthetic_records import Written, plan_of, write, write_run
from harness.records.files import run_folder
from harness.store.catch_up import catch_up
from harness.store.query import Reader

SIZES = {"runs": 200, "samples": 4000, "models": 24, "tasks": 12, "hardware": 4, "seed": 0}
LARGEST_PAGE = 2 * 10**6


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scale")
    write(folder / "results", **SIZES)
    return folder


@pytest.fixture(scope="module")
def reader(work):
    return Reader(work / "results")


@pytest.fixture(scope="module")
def pages(work, reader):
    return site_scale.board_and_models(work, SIZES)


def test_every_invented_record_is_one_that_the_store_takes_in(work, reader):
    assert reader.rows("SELECT * FROM bad_records") == []
    on_disk = sum(1 for _ in (work / "results" / "runs").glob("*/*/*/record.json"))
    assert reader.rows("SELECT count(*) AS n, count(DISTINCT run_id) AS runs FROM records") == [
        {"n": on_disk, "runs": 200}
    ]


def test_samples_go_to_the_newest_runs_until_they_are_used_up(reader):
    found = reader.rows(
        "SELECT count(*) AS n, min(finished_at) AS first FROM sample_rows JOIN records USING (run_id, task)"
    )[0]
    documents = plan_of(**SIZES).documents
    assert SIZES["samples"] <= found["n"] < SIZES["samples"] + documents
    older = "SELECT count(*) AS n FROM metrics JOIN records USING (run_id, task) WHERE finished_at < ? AND n = total"
    assert reader.rows(older, [found["first"]])[0]["n"] > 100


@pytest.mark.parametrize(
    "rows",
    [
        "SELECT 1 FROM records WHERE status = 'failed' AND suite IN ('paper', 'nano')",
        "SELECT 1 FROM metrics WHERE n < total",
        "SELECT 1 FROM records WHERE source = 'imported'",
        "SELECT 1 FROM records WHERE source = 'contributed'",
        "SELECT 1 FROM records WHERE task = 'mmlu'",
        "SELECT 1 FROM metrics WHERE value IS NULL",
        "SELECT 1 FROM speed_ratios WHERE lower > 1",
        "SELECT 1 FROM speed WHERE NOT valid",
        "SELECT 1 FROM records WHERE parent IN (SELECT model FROM records)",
    ],
)
def test_among_the_invented_records_is_what_pages_must_stand(reader, rows):
    assert reader.rows(rows)


def test_names_that_must_stay_text_are_among_them(reader):
    shown = {row["model"] for row in reader.rows("SELECT DISTINCT model FROM records")}
    assert shown & set(HOSTILE)


def test_the_same_seed_gives_the_same_records(tmp_path):
    few = SIZES | {"runs": 12, "samples": 100}
    for name, seed in (("one", 0), ("two", 0), ("other", 1)):
        write(tmp_path / name, **few | {"seed": seed})
    one, two, other = (
        {
            path.relative_to(tmp_path / name): path.read_bytes()
            for path in (tmp_path / name).rglob("*")
            if path.is_file()
        }
        for name in ("one", "two", "other")
    )
    assert one == two
    assert one != other


def test_the_board_and_the_models_stay_below_the_bars_of_size(pages):
    assert pages["rows"] >= SIZES["models"]
    assert pages["models"]["pages"] > SIZES["models"]
    assert max(pages["board"]["largest"], pages["models"]["largest"]) < LARGEST_PAGE


def test_one_further_record_is_all_that_is_taken_in(work, reader, pages):
    results, plan = work / "results", plan_of(**SIZES)
    write_run(results, plan, SIZES["runs"] + 1, 0, Written())
    further = run_folder(results, plan.run_id(SIZES["runs"] + 1))
    for record in sorted(further.iterdir())[1:]:
        shutil.rmtree(record)
    assert catch_up(results) == 1
    assert catch_up(results) == 0


def test_a_bar_that_is_missed_is_named():
    stages = {
        "one record": {"seconds": 0.7, "peak_bytes": 5 * 2**30},
        "site": {"seconds": 500.0, "peak_bytes": 2 * 2**30},
    }
    assert site_scale.missed(stages) == [
        "one record: 0.70 s, and the bar is 0.5 s",
        "site: 2048 MiB of memory, and the bar is 1024 MiB",
    ]
    assert site_scale.missed({"one record": {"seconds": 0.1, "peak_bytes": 1}}) == []
