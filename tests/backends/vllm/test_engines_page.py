"""The table of docs/engines.md is what the kept outcomes say, and says what has never run."""

from __future__ import annotations

from benchmarks.engine_matrix import NEVER, PAGE, kept, matrix, page


def test_the_page_has_the_table_that_the_outcomes_give():
    assert PAGE.read_text("utf-8") == page(), "run `python benchmarks/engine_matrix.py page`"


def test_every_kept_outcome_is_of_a_real_engine_and_asked_every_check():
    assert any(one.key.backend == "vllm" and one.key.engine.startswith("vllm 0.32") for one in kept())
    assert all(one.depth == "full" for one in kept())
    for _, _, what in NEVER:
        assert what in matrix()
