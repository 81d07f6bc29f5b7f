"""The view `reproduction`: what was measured beside what was published, and what may be said of the two."""

import math

import pytest
from support.records import record

from harness.records.derived import estimate
from harness.records.files import new_run_id, write_record
from harness.records.record import Counts, MetricScore, Subject
from harness.stats.constants import Z
from harness.stats.finite_sample import repeatability_limit
from harness.stats.means import mean_statistics
from harness.stats.reproduction import Protocols, verdict
from harness.stats.sufficient import DecodingNoise, MeanStatistics
from harness.store.query import query
from harness.store.reproduction import of_model, of_run, verdict_words
from zoo.registry.loader import shipped_path

MODEL = "mistral-nemo-minitron-8b"  # winogrande, 5 shots: 80.4 in its paper, 80.35 in the blog; 1,267 documents
SUBJECT = Subject(
    id=MODEL, source="hub", revision=None, weights_digest="w", tokenizer_digest="t", entry={"id": MODEL}
)  # fmt: skip


def suite(**entry):
    return {"name": "paper", "tasks": [{"task": "winogrande", "metric": "acc", **entry}]}


def score(right, n, total=1267, draws=(), **changes):
    """`right` of `n` documents, of `total`."""
    known = mean_statistics([1.0] * right + [0.0] * (n - right), unit_interval=True)
    fields = {"metric": "acc", "filter": "none", "value": right / n, "n": n, "total": total, "draws": draws}
    return MetricScore(**{**fields, "statistics": known, "higher_is_better": True, "chance": 0.5, **changes})


@pytest.fixture
def store(tmp_path):
    def write(*scores, **changes):
        fields = {"task": "winogrande", "subject": SUBJECT, "resolved_suite": suite(), "scores": scores, **changes}
        write_record(tmp_path, record(**{**fields, "run_id": new_run_id()}))
        return of_model(tmp_path, MODEL)

    write.results = tmp_path
    return write


def test_a_whole_run_within_a_point_of_the_published_score_is_reproduced(store):
    (row,) = store(score(1020, 1267))
    assert (row["verdict"], row["published"], row["origin"]) == ("reproduced", 0.8035, "mn-minitron-news")
    assert row["difference"] == pytest.approx(1020 / 1267 - 0.8035)
    # every document was run: nothing is left but the rounding of the printed figure
    assert row["difference_upper"] - row["difference_lower"] == pytest.approx(2 * 0.00005)


def test_a_whole_run_two_points_away_differs(store):
    (row,) = store(score(round(0.7835 * 1267), 1267))
    assert row["verdict"] == "differs"


def test_a_limited_run_with_the_published_score_itself_is_not_resolved_and_says_what_it_needs(store):
    (row,) = store(score(161, 200))
    assert row["verdict"] == "not resolved"
    assert 1000 < row["needs_n"] <= 1267
    assert verdict_words(row) == f"not resolved (needs n = {row['needs_n']:,})"


@pytest.mark.parametrize("n", [1, 2, 3, 10, 40])
def test_a_handful_of_documents_is_never_reproduced_even_where_all_agree(store, n):
    (row,) = store(score(n, n))
    assert row["verdict"] != "reproduced"


@pytest.mark.parametrize(("right", "n"), [(161, 200), (1, 1), (40, 40), (1020, 1267), (990, 1267)])
def test_the_view_holds_the_verdict_of_the_one_definition(store, right, n):
    (row,) = store(score(right, n))
    measured = estimate(score(right, n))
    made = verdict(measured, n, 1267, 0.8035, 0.01, Protocols(rounding=0.00005))
    assert (row["verdict"], row["needs_n"], row["reason"]) == (made.outcome, made.needs_n, made.reason)
    assert [row[f"difference{end}"] for end in ("", "_lower", "_upper")] == [made.difference, made.lower, made.upper]


def test_the_interval_of_the_difference_is_wilsons_shrunk_by_what_was_run(store):
    (row,) = store(score(480, 600))
    left = math.sqrt(1 - 600 / 1267)
    made = estimate(score(480, 600))
    assert row["difference_lower"] == pytest.approx(0.8 - 0.8035 - left * (0.8 - made.lower) - 0.00005)
    assert row["difference_upper"] == pytest.approx(0.8 - 0.8035 + left * (made.upper - 0.8) + 0.00005)


def test_the_spread_over_fewshot_draws_becomes_the_margin_where_it_is_more_than_a_point(store):
    off = score(round(0.7835 * 1267), 1267, draws=(0.7835, 0.80, 0.81))
    (row,) = store(off)
    assert row["margin"] == pytest.approx(repeatability_limit(off.draws_sd), rel=1e-6)
    assert (row["verdict"], row["margin_basis"]) == ("reproduced", "3 draws of few-shot examples")
    (row,) = store(off.model_copy(update={"draws": (0.7835, 0.7836)}))
    assert (row["verdict"], row["margin"], row["margin_basis"]) == ("differs", 0.01, "one point")


def test_a_suite_may_state_its_own_margin(store):
    (row,) = store(score(round(0.7835 * 1267), 1267), resolved_suite=suite(margin=0.03))
    assert (row["verdict"], row["margin_basis"]) == ("reproduced", "stated by the suite")


def test_sampled_answers_leave_an_error_on_both_sides_when_all_problems_are_run(store):
    """HumanEval, 164 problems, 20 samples each on both sides: the decoding's variance counts twice."""
    noise = 0.005
    made = MetricScore(
        metric="pass@1", filter="sandbox", value=0.36, n=164, total=164, higher_is_better=True, chance=0.0,
        statistics=MeanStatistics(squares=(0.036 * 164) ** 2 * 163 / 164, units=164, binary=False, unit_interval=True),
        noise=DecodingNoise(spread=(noise * 164) ** 2 * 19, samples=20),
    )  # fmt: skip
    shown = estimate(made)
    assert (shown.stderr, shown.whole_stderr, shown.decoding_stderr) == pytest.approx((0.036, noise, noise))
    entry = {"task": "humaneval", "metric": "pass@1"}
    changes = {"task": "humaneval", "shots": 0, "resolved_suite": {"tasks": [entry]}}
    decoding = {"n": 20, "temperature": 0.2, "top_p": 0.95}
    (row,) = store(made, **changes, decoding=decoding)
    half = math.sqrt((noise / 0.036 * (shown.upper - 0.36)) ** 2 + (Z * noise) ** 2)
    assert row["difference_upper"] - row["difference"] == pytest.approx(half + 0.00005, abs=1e-6)  # 36.22
    (row,) = store(made, **changes, decoding={**decoding, "temperature": 0.0})
    assert verdict_words(row) == "not comparable (temperature 0.0 here, 0.2 in the source)"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (
            {"shots": 0, "scores": (score(1020, 1267),)},
            None,
        ),  # the card says 0 shots: comparable with that source alone
        ({"shots": 3}, "3 shots here, 5 in the source"),
        ({"scores": (score(640, 800, total=800),)}, "the data here has 800 documents, the benchmark 1,267"),
        (
            {"counts": Counts(documents=9, documents_total=9, requests=9, tokens=9, truncated=7, reused=0)},
            "7 prompts were",
        ),
        ({"resolved_suite": suite(decoding={"max_tokens": 128})}, "answers ended after 128 tokens"),
        ({"resolved_suite": suite(share=0.2)}, "the suite takes a part"),
        ({"scores": (score(1020, 1267, total=None),)}, "does not say how many documents"),
    ],
)
def test_what_was_not_measured_alike_is_not_comparable_and_says_why(store, changes, why):
    (row,) = store(*changes.pop("scores", (score(1020, 1267),)), **changes)
    if why is None:
        assert (row["verdict"], row["origin"]) == ("reproduced", "mn-minitron-8b-card")
    else:
        assert row["verdict"] == "not comparable"
        assert why in row["reason"]
        assert row["needs_n"] is None


def test_another_metric_than_the_published_one_has_no_row(store):
    assert store(score(1020, 1267, metric="acc_norm")) == []


def test_a_folder_of_the_same_name_is_not_the_registrys_model(store):
    assert store(score(1020, 1267), subject=SUBJECT.model_copy(update={"entry": None})) == []


def test_a_tasks_own_name_of_a_metric_meets_the_papers(store):
    strict, loose = (
        score(round(0.585 * 1319), 1319, total=1319, metric="exact_match", filter=name)
        for name in ("strict-match", "flexible-extract")
    )
    rows = store(strict, loose, task="gsm8k", resolved_suite={})
    assert [(row["filter"], row["verdict"]) for row in rows] == [("strict-match", "reproduced")]


def test_every_source_is_in_the_view_and_the_most_precise_comparable_one_is_shown(store):
    (shown,) = store(score(1020, 1267))
    rows = query(store.results, "SELECT origin, verdict FROM reproduction ORDER BY origin")
    assert {row["origin"]: row["verdict"] for row in rows} == {
        "mn-minitron-8b-card": "not comparable",
        "mn-minitron-news": "reproduced",
        "practice-paper": "reproduced",
    }
    assert shown["origin"] == "mn-minitron-news"


def test_the_newest_run_of_a_task_is_the_one_shown(store):
    store(score(900, 1267))
    (row,) = store(score(1020, 1267))
    assert row["verdict"] == "reproduced"
    assert len(of_run(store.results, row["run_id"])) == 1


def test_show_puts_the_measured_score_beside_the_published_one(store, minizoo):
    store(score(161, 200))
    ran = minizoo("show", MODEL, "--results", store.results)
    assert ran.code == 0, ran.err
    assert "Beside the published scores" in ran.out
    assert "not resolved (needs n = 1," in ran.out
    told = minizoo("show", MODEL, "--results", store.results, "--json").json()
    assert told["reproduction"][0]["verdict"] == "not resolved"


def test_show_makes_no_results_folder(minizoo, tmp_path):
    ran = minizoo("show", MODEL, "--results", tmp_path / "none")
    assert "Beside the published scores" not in ran.out
    assert not (tmp_path / "none").exists()


def test_a_source_that_took_an_unknown_part_adds_the_error_of_its_own(store):
    """XL-Sum, 20 % of 11,535 documents on both sides: twice the variance of one side."""
    known = MeanStatistics(squares=(0.006 / Z * 2307) ** 2, units=2307, binary=False, unit_interval=True)
    made = MetricScore(
        metric="rougeL",
        filter="none",
        value=0.32,
        n=2307,
        total=11535,
        higher_is_better=True,
        chance=0.0,
        statistics=known,
    )
    whole = estimate(made).whole_stderr
    entry = {"task": "xlsum_en", "metric": "rougeL", "share": 0.2, "overflow": "truncate"}
    cut = Counts(documents=2307, documents_total=11535, requests=2307, tokens=9, truncated=5, reused=0)
    changes = {"task": "xlsum_en", "shots": 3, "counts": cut}
    (row,) = store(made, **changes, resolved_suite={"tasks": [entry]})
    assert (row["published"], row["verdict"]) == (0.3194, "reproduced")
    around = math.sqrt(2) * Z * whole
    assert row["difference_upper"] - row["difference"] == pytest.approx(around + 0.00005, rel=1e-2)
    (row,) = store(made, **changes, resolved_suite={"tasks": [{**entry, "share": None}]})
    assert verdict_words(row) == "not comparable (published on 20 % of the English set, not on all)"


def test_eval_prints_the_published_score_beside_its_own(minizoo, data, tmp_path, monkeypatch):
    """A published score that is made up, in a registry of the test's own, for a model that can be run here."""
    text = shipped_path().read_text("utf-8")
    published = (
        "    published:\n"
        "      - {source: minitron-8b-card, protocol: base-cards, values: {winogrande: 52.0}}\n"
        "    default_suite: nano\n    notes: [Trained from scratch"
    )
    changed = text.replace("    default_suite: nano\n    notes: [Trained from scratch", published, 1)
    assert changed != text
    (tmp_path / "registry.yaml").write_text(changed, "utf-8")
    monkeypatch.setattr("zoo.registry.loader.shipped_path", lambda: tmp_path / "registry.yaml")
    argv = ["eval", "--model", "nano-teacher", "--tasks", "winogrande", "--shots", 0, "--limit", 16, "--device", "cpu"]
    ran = minizoo(*argv, "--data", data, "--results", tmp_path / "results")
    assert ran.code == 0, ran.err
    assert "Beside the published scores" in ran.out
    assert "0.5200" in ran.out
    assert "minitron-8b-card" in ran.out
    assert "reproduced" not in ran.out
    told = minizoo(*argv, "--data", data, "--results", tmp_path / "results", "--json").json()
    (row,) = told["reproduction"]
    assert row["verdict"] in ("not resolved", "differs")
    assert row["n"] == 16
    ran = minizoo(
        *argv[:5],
        "--shots",
        3,
        "--limit",
        4,
        "--data",
        data,
        "--results",
        tmp_path / "results",
        "--overflow",
        "truncate",
    )
    assert "not comparable (3 shots here, 0 in the source)" in ran.out


def test_a_database_that_cannot_be_read_costs_show_its_table_only(store, minizoo, monkeypatch):
    from harness.store import reproduction
    from zoo.errors import EnvironmentIssue

    def locked(*_):
        raise EnvironmentIssue("The database is open in another program.", "Close it there.")

    store(score(1020, 1267))
    monkeypatch.setattr(reproduction, "query", locked)
    ran = minizoo("show", MODEL, "--results", store.results)
    assert (ran.code, "80.35" in ran.out) == (0, True)
    assert "open in another program" in ran.err
