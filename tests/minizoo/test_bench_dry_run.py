"""`minizoo bench --dry-run`: what a model needs and the roofline on every known GPU, by arithmetic alone."""

import pytest
from support.reference_figures import CEILINGS_4B_WIDTH


def test_dry_run_needs_no_weights_and_prints_the_ceilings(minizoo):
    ran = minizoo("bench", "--model", "llama-3.1-minitron-4b-width", "--weights", "random", "--dry-run", "--json")
    assert ran.code == 0, ran.err
    (point,) = ran.json()["points"]
    assert point["decode"]["bytes"] == 8_237_494_272 + 191 * 131_072
    shown = {row["gpu"]: round(row["empty_cache"]) for row in point["ceilings"]}
    assert {name: shown[name] for name in CEILINGS_4B_WIDTH} == CEILINGS_4B_WIDTH
    text = minizoo("bench", "--model", "llama-3.1-minitron-4b-width", "--weights", "random", "--dry-run").out
    assert all(f" {figure} " in text for figure in (248, 235, 407))


WRONG = {
    "--batch=-3": "invalid-option",
    "--batch=1000000000": "invalid-option",
    "--batch=many": "usage",
    "--dtype=int5": "unsupported-dtype",
    "--workload=chatt": "unknown-name",
    "--workload=no/such.yaml": "file-missing",
}


@pytest.mark.parametrize("word", WRONG)
def test_numbers_and_names_that_make_no_sense_are_refused_in_one_paragraph(minizoo, word):
    ran = minizoo("bench", "minitron-8b", "--dry-run", word, "--json")
    assert (ran.code, ran.json()["code"]) == (2, WRONG[word])
    assert ran.err.count("\n") == 1


def test_a_dry_run_of_arrivals_at_a_rate_says_that_it_has_no_ceiling(minizoo):
    ran = minizoo("bench", "--model", "minitron-8b", "--rate", "2", "--dry-run")
    assert ran.code == 0
    assert ran.out.startswith("No ceilings")
