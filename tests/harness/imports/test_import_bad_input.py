"""Bad files: refused in one paragraph that names the file, and nothing of any file of the call is stored."""

import json
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.foreign_releases import RELEASES
from support.foreign_results import AIPERF, EVERY, LATENCY, SERVE, THROUGHPUT, TRTLLM, changed, detailed

from harness.imports.drafts import Given
from harness.imports.formats import drafts_of
from harness.imports.importing import _documents, _File, _record, import_files
from harness.lmeval.scores import higher_is_better
from harness.records.files import new_run_id
from harness.records.record import Record
from harness.store.check import check
from zoo.errors import InputError

FILES = {
    "empty": "",
    "blank": " \n ",
    "not JSON": "TTFT 12 ms",
    "cut short": json.dumps(SERVE)[:-40],
    "cut short in the second document": json.dumps(SERVE) + "\n" + json.dumps(SERVE)[:50],
    "a list": "[]",
    "a number": "3",
    "another tool's": '{"mean": 3.0, "median": 2.9}',
    "too deep": "[" * 200_000,
    "nothing completed": SERVE | {"completed": 0},
    "time is text": SERVE | {"median_ttft_ms": "55 ms"},
    "time is a truth": SERVE | {"median_ttft_ms": True},
    "time is negative": SERVE | {"mean_tpot_ms": -1.0},
    "time is no number": json.dumps(SERVE | {"p99_itl_ms": float("nan")}),
    "duration is infinite": json.dumps(SERVE | {"duration": float("inf")}),
    "count is a fraction": SERVE | {"completed": 3.5},
    "count as text": SERVE | {"completed": "400"},
    "negative rate": THROUGHPUT | {"tokens_per_second": -1},
    "no latencies": LATENCY | {"latencies": []},
    "latency is text": LATENCY | {"latencies": [1.0, "2.0"]},
    "times of a request negative": changed(detailed(), "ttfts", [-0.1] * 401),
    "no performance": changed(TRTLLM, "performance", {}),
    "percentile is text": changed(TRTLLM, "performance.request_latency_percentiles_ms.p50", "fast"),
    "no requests": changed(TRTLLM, "request_info.num_requests", 0),
    "engine is a list": changed(TRTLLM, "engine", []),
    "unknown unit": changed(AIPERF, "time_to_first_token.unit", "fortnights"),
    "rate of another unit": changed(AIPERF, "output_token_throughput.unit", "tokens/min"),
    "no unit": changed(AIPERF, "request_latency.unit", ...),
    "figures are a number": changed(AIPERF, "inter_token_latency", 4.9),
    "no model in it": changed(AIPERF, "input_config", {}),
    "several models in it": changed(AIPERF, "input_config.models.items", [{"name": "a"}, {"name": "b"}]),
    "model is a number": SERVE | {"model_id": 7},
    "lm-eval without tasks": {"results": {}, "configs": {}, "versions": {}},
    "lm-eval without scores": {"results": {"x": {"alias": "x"}}, "configs": {}, "versions": {}},
    "lm-eval with line breaks in its names": {
        "results": {"x\ny": {"acc\n\n,none": "?"}},
        "configs": {},
        "versions": {},
        "higher_is_better": {"x\ny": {"acc\n\n": True}},
    },
    "lm-eval without a model": {"results": {"x": {"acc,none": 0.5}}, "configs": {}, "versions": {}},
}


def is_one_paragraph(text):
    return text.startswith("minizoo: ") and text.count("\n") == 1 and "Traceback" not in text and len(text) < 900


@pytest.mark.parametrize("name", FILES)
def test_bad_file_is_refused_and_nothing_of_the_good_one_stored(tmp_path, minizoo, name):
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text(json.dumps(TRTLLM))
    content = FILES[name]
    bad.write_text(content if isinstance(content, str) else json.dumps(content))
    ran = minizoo("import", good, bad, "--results", tmp_path / "results")
    assert ran.code == 2, ran.out
    assert is_one_paragraph(ran.err), ran.err
    assert "bad.json" in ran.err
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("name", ["throughput", "latency"])
def test_file_that_names_no_model_is_refused_with_the_option_that_does(tmp_path, minizoo, name):
    path = tmp_path / "result.json"
    path.write_text(json.dumps(EVERY[name]))
    ran = minizoo("import", path, "--results", tmp_path / "results")
    assert ran.code == 2
    assert "--model" in ran.err


def test_bytes_that_are_no_text_are_refused(tmp_path, minizoo):
    path = tmp_path / "result.json"
    path.write_bytes(b"\xff\xfe\x00\x80" * 50)
    ran = minizoo("import", path, "--results", tmp_path / "results")
    assert ran.code == 2
    assert is_one_paragraph(ran.err)


@pytest.mark.parametrize("make", [lambda p: None, lambda p: p.mkdir()], ids=["missing", "a folder"])
def test_what_is_no_file_is_refused(tmp_path, minizoo, make):
    make(tmp_path / "result.json")
    ran = minizoo("import", tmp_path / "result.json", "--results", tmp_path / "results")
    assert ran.code == 2
    assert is_one_paragraph(ran.err)


def test_results_that_cannot_be_written_leave_nothing_half(tmp_path, minizoo, monkeypatch):
    from harness.records import files

    write_record = files.write_record

    calls = []

    def full_at_the_second(results, record, samples):
        calls.append(record.task)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        return write_record(results, record, samples)

    monkeypatch.setattr(files, "write_record", full_at_the_second)
    path = tmp_path / "result.json"
    path.write_text(json.dumps(SERVE) + json.dumps(SERVE | {"max_concurrency": 64}))
    ran = minizoo("import", path, "--results", tmp_path / "results")
    assert ran.code == 4
    assert is_one_paragraph(ran.err)
    assert not list((tmp_path / "results" / "runs").rglob("record.json"))


LM_EVAL = {
    "results": {"arc": {"alias": "arc", "acc,none": 0.5, "acc_stderr,none": 0.01}, "all": {"acc,none": 0.5}},
    "group_subtasks": {"all": ["arc", "all"]}, "configs": {"arc": {"output_type": "multiple_choice"}}, "versions": {"arc": 1},
    "n-shot": {"arc": 5}, "higher_is_better": {"arc": {"acc": True}}, "n-samples": {"arc": {"original": 9, "effective": 9}},
    "config": {"model": "hf", "model_args": "pretrained=x", "random_seed": 0}, "date": 1.7e9, "model_name": "x",
    "pretty_env_info": "PyTorch version: 2.13.0", "total_evaluation_time_seconds": "12.5",
}  # fmt: skip
ODD = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**30), 10**30), st.floats(), st.text(max_size=5), st.just("\ud800"),
    st.just([]), st.just({}), st.just([{}]), st.just([None]), st.just({"x": {}}), st.just(10**400), st.just(...),
)  # fmt: skip
"""Values of any type; `...` for a key that is not there."""


def places(document, above=()):
    """The path of every value of a document."""
    for key, value in document.items():
        yield (*above, key)
        if isinstance(value, dict):
            yield from places(value, (*above, key))


def read_or_refused(document):
    """The drafts of a file that holds the document; else the words that refuse it."""
    content = json.dumps(document).encode()
    try:
        read = _documents(Path("file.json"), content)
        return [draft for where, part in read for draft in drafts_of(where, part, Given(model="m"))], ""
    except InputError as refusal:
        return [], str(refusal)


def mutated(document, path, value):
    """A copy with another value there, or without the key."""
    copy = deepcopy(document)
    part = copy
    for key in path[:-1]:
        part = part[key]
    if value is ...:
        del part[path[-1]]
    else:
        part[path[-1]] = value
    return copy


@settings(max_examples=400, deadline=None)
@given(st.sampled_from([*EVERY.values(), *RELEASES.values(), detailed(), LM_EVAL]), st.data())
def test_any_value_in_any_place_is_taken_or_refused_in_words(document, data):
    odd = mutated(document, data.draw(st.sampled_from(list(places(document)))), data.draw(ODD))
    again = list(places(odd))
    if again and data.draw(st.booleans()):
        odd = mutated(odd, data.draw(st.sampled_from(again)), data.draw(ODD))
    found, refused = read_or_refused(odd)
    assert found or (refused.startswith("file.json") and len(refused) < 900)
    for draft in found:
        assert draft.scores or "without_direction" in draft.rest or draft.speed.statistics
        for one in draft.speed.statistics if draft.speed else ():
            assert one.value is None or one.metric == "goodput" or 0 < one.value < float("inf")
        file = _File(Path("file.json"), "0" * 64, datetime.now(UTC), (draft,))
        record = _record(new_run_id(), file, draft)
        assert Record.model_validate(json.loads(record.model_dump_json())) == record  # it can be written and read


def test_odd_names_of_tasks_get_folders_of_their_own(tmp_path):
    scores = {name: {"acc,none": 0.5} for name in ("a/b", "a_b", "a b", "..", "x" * 150, "x" * 151)}
    path = tmp_path / "results.json"
    path.write_text(json.dumps(LM_EVAL | {"results": scores}))
    (one,) = import_files([path], tmp_path / "results", Given(direction=higher_is_better))
    assert len(one.records) == len(scores)
    assert check(tmp_path / "results").records == len(scores)


def test_older_lm_eval_files_that_say_no_direction_take_lm_evals_own(tmp_path):
    older = {key: value for key, value in LM_EVAL.items() if key != "higher_is_better"}
    older["results"] = {"lambada": {"acc,none": 0.5, "perplexity,none": 9.0}}
    (draft,) = drafts_of("file.json", older, Given(direction=higher_is_better))
    assert {score.metric: score.higher_is_better for score in draft.scores} == {"acc": True, "perplexity": False}


HOSTILE = "'; DROP TABLE records; --/../../<script>alert(1)</script>"


def test_hostile_names_stay_text(tmp_path, minizoo):
    path = tmp_path / "result.json"
    path.write_text(json.dumps(SERVE | {"model_id": HOSTILE, "backend": HOSTILE}))
    ran = minizoo("import", path, "--results", tmp_path / "results", "--json")
    assert ran.code == 0, ran.err
    assert ran.json()["files"][0]["records"][0]["subject"]["id"] == HOSTILE
    again = minizoo("import", path, "--results", tmp_path / "results")
    assert "imported before" in again.err
