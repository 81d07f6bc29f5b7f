"""The report is one self-contained page, the same for the same results, whatever stands in them."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime

import pytest
from support.report_pages import Page
from support.score_rows import MADE, RUN, failure, published, run, score

from reports.cells import ABSENT, interval, number, row_of
from reports.charts.scores import draw
from reports.page import render_page

HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    "</style><svg onload=alert(1)>",
    '"><b title="x" onclick="alert(1)">',
    "'; DROP TABLE records; --",
    "{{ 7 * 7 }}{% raw %}",
    "&lt;b&gt; &amp; \u202egnp.exe\u0000\ud800",
    "a" * 400,
]


def test_every_score_is_a_row_with_all_its_columns():
    page = Page(render_page([published(), score(), failure()], [run()], MADE))
    assert page.rows == [
        ["Model", "Suite", "Task", "Metric", "Filter", "Shots", "Value", "95 % interval", "Chance", "n", "Status",
         "Device", "Date (UTC)", "Source"],
        ["nano-teacher", "nano", "nano_code", "", "", "4", ABSENT, "", "", "", "failedno isolation", "cpu · hf",
         "2026-11-21 01:30", "measured"],
        ["nano-teacher", "nano", "nano_facts", "acc ↑", "", "4", "0.9050", "0.8763–0.9337", "0.2500", "400", "ok",
         "cpu · hf", "2026-11-21 01:30", "measured"],
        ["minitron-8b", "", "hellaswag", "acc ↑", "", "4", "0.9050", "", "", "", "ok", "", "", "published"],
    ]  # fmt: skip


def test_a_failure_is_told_above_the_table_with_its_reason():
    page = Page(render_page([failure(reason="no isolation: bwrap is missing")], [run()], MADE))
    assert "nano-teacher on nano_code, 2026-11-21 01:30: no isolation: bwrap is missing" in page.text
    assert "1 failed" in page.text


def test_a_limited_or_cut_score_says_so():
    page = Page(render_page([score(limit=40, truncated=3, n=40)], [], MADE))
    assert page.rows[1][9:11] == ["40", "ok limit 40, 3 prompts cut"]


def test_a_score_of_generated_code_says_how_the_code_was_kept_apart():
    page = Page(render_page([score(task="humaneval", isolation="landlock")], [run()], MADE))
    assert page.rows[1][10] == "ok code: landlock"


def test_a_run_tells_what_repeats_it():
    page = Page(render_page([score()], [run()], MADE))
    for fact in (RUN, "sha256:abcd", "1234", "870c414", "lm-eval 0.4.13, torch 2.13.0", "float32"):
        assert fact in page.text
    assert "minizoo eval --model nano-teacher --suite nano" in page.text
    assert ("details", {"id": f"run-{RUN}", "class": "run"}) in page.elements
    assert ("a", {"href": f"#run-{RUN}"}) in page.elements


def test_no_results_say_what_to_run_next():
    page = Page(render_page([], [], MADE))
    assert "Nothing has been measured yet" in page.text
    assert "minizoo eval --model nano-teacher" in page.text
    assert page.count("table") == 0


def test_published_scores_alone_still_say_what_to_run_next():
    page = Page(render_page([published()], [], MADE))
    assert "Nothing has been measured yet" in page.text
    assert len(page.rows) == 2


def test_the_same_results_give_the_same_bytes_in_any_order():
    scores = [score(task=f"task_{i}", value=i / 10) for i in range(9)] + [failure(), published()]
    runs = [run(), run(run_id="0199a1b2-0002", finished_at=datetime(2026, 11, 20, tzinfo=UTC))]
    page = render_page(scores, runs, MADE)
    assert page == render_page(scores, runs, MADE)
    assert page == render_page(scores[::-1], runs[::-1], MADE)


def test_other_results_have_another_digest():
    def digest(page: str) -> str:
        return re.findall(r"data ([0-9a-f]{12})", page)[0]

    assert digest(render_page([score()], [], MADE)) != digest(render_page([score(value=0.9049)], [], MADE))


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_text(name: str):
    plain = Page(render_page([score(), failure(), published()], [run()], MADE))
    columns = ("model", "suite", "task", "metric", "filter", "device", "run_id")
    scores = [
        score(**dict.fromkeys(columns, name)),
        failure(reason=name, task=name),
        published(**dict.fromkeys(("model", "task", "metric"), name)),
    ]
    html = render_page(scores, [run(**dict.fromkeys(("run_id", "model", "command", "host", "versions"), name))], MADE)
    page = Page(html)
    for tag in ("script", "style", "img", "table", "details", "tr", "b", "svg"):
        assert page.count(tag) == plain.count(tag), tag
    assert not any(attribute.startswith("on") for _, attributes in page.elements for attribute in attributes)
    assert page.rows[-1][0] == name.replace("\0", "\ufffd").replace("\ud800", "\ufffd")
    assert html.encode().decode() == html


def test_only_our_own_script_may_run_and_nothing_may_be_fetched():
    html = render_page([score()], [run()], MADE)
    policy = re.findall(r'Content-Security-Policy" content="([^"]*)"', html)[0]
    script = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    assert len(script) == 1
    import base64

    digest = base64.b64encode(hashlib.sha256(script[0].encode()).digest()).decode()
    assert policy.startswith("default-src 'none'; ")
    assert f"script-src 'sha256-{digest}'" in policy
    addresses = {a[key] for _, a in Page(html).elements for key in ("src", "href") if key in a}
    assert addresses == {"data:,", f"#run-{RUN}"}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, ABSENT),
        (float("nan"), ABSENT),
        (float("inf"), "inf"),
        (0.0, "0.0000"),
        (0.87654, "0.8765"),
        (-0.5, "-0.5000"),
        (9.99999, "10.0000"),
        (12.3456, "12.346"),
        (1234.5, "1,234.5"),
        (98765.4, "98,765"),
        (3.2e9, "3.2e+09"),
    ],
)
def test_numbers_are_written_as_lm_eval_prints_them_and_shorter_when_large(value: float | None, shown: str):
    assert number(value) == shown


def test_an_interval_with_a_missing_end_is_not_written():
    assert interval(0.1, None) == interval(float("nan"), 0.2) == interval(None, None) == ""
    assert interval(0.1, 0.2) == "0.1000–0.2000"


def test_absent_and_nan_cells_have_no_sort_key():
    row = row_of(score(value=float("nan"), lower=None, upper=None, chance=None, n=None, shots=None))
    assert (row.value, row.value_key, row.interval_key, row.chance_key, row.n_key) == (ABSENT, "", "", "", "")
    assert Page(render_page([score(value=float("nan"))], [], MADE)).rows[1][6] == ABSENT


def test_times_are_shown_in_utc_whatever_their_zone():
    assert row_of(score(finished_at="2026-11-21T03:30:00+02:00")).finished == "2026-11-21 01:30"
    assert row_of(score(finished_at=datetime(2026, 11, 21, 1, 30))).finished_iso == "2026-11-21T01:30:00Z"


def test_the_chart_shows_the_newest_measured_score_between_0_and_1():
    older = score(model="a", finished_at=datetime(2026, 11, 1, tzinfo=UTC), value=0.1)
    assert draw([score(model="a"), older]) == draw([score(model="a")])
    chart = draw(
        [
            score(model="a"),
            older,
            score(model="b", gpu="H100"),
            score(model="b"),
            score(metric="word_perplexity", value=3.1, higher_is_better=False),
            score(task="nan", value=float("nan")),
            failure(),
            published(),
        ]
    )
    assert chart is not None
    assert "3 models on 1 task," in chart.summary
    for label in (">a<", ">b (hf, H100)<", ">b (hf, cpu)<", ">nano_facts<", ">acc, 4-shot<"):
        assert label in chart.svg
    for absent in ("hellaswag", "nano_code", "perplexity", "nan<"):
        assert absent not in chart.svg
    assert draw([failure(), published()]) is None


def test_the_chart_hides_its_marks_and_says_what_was_left_out():
    chart = draw([score(task=f"task_{i:02}") for i in range(33)])
    assert chart is not None
    assert chart.svg.startswith('<svg aria-hidden="true"')
    assert chart.left_out == 3
    assert (
        "3 more tasks in the table only" in Page(render_page([score(task=f"t{i}") for i in range(33)], [], MADE)).text
    )


def test_a_thousand_rows_are_one_page_of_a_megabyte_at_most():
    html = render_page([score(task=f"task_{i}", model=f"model-{i % 20}") for i in range(1000)], [run()], MADE)
    assert len(Page(html).rows) == 1001
    assert len(html.encode()) < 2**20
