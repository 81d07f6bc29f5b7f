"""`minizoo eval --backend openai`: a served model's records are those of the model itself, whatever happens on the way."""

import importlib
import json

import pytest
from support.served_model import serving

from backends.contract import Options
from backends.openai import backend as openai_backend
from backends.openai.waiting import Waiting
from backends.opening import backend_names, open_backend
from zoo.checkpoint.locate import locate

ANSWERS = "partial/*/answers.jsonl"
KEY = "sk-secret-0123456789"
SUITE = ["--suite", "nano", "--limit", 1]


@pytest.fixture(scope="module")
def teacher():
    backend = open_backend(locate("nano-teacher"), "hf", Options(device="cpu"))
    yield backend
    backend.close()


@pytest.fixture(autouse=True)
def quick(monkeypatch, tmp_path):
    """Short pauses, no key of this machine's, and the entry point where this checkout was installed before it had one."""
    for name in ("OPENAI_API_KEY", "MINIZOO_ENDPOINT_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(openai_backend, "Waiting", lambda tries: Waiting(tries, first=0.001))
    if "openai" not in backend_names():
        info = tmp_path / "site" / "served-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: served\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[minizoo.backends]\nopenai = backends.openai.backend:open_served\n")
        monkeypatch.syspath_prepend(str(tmp_path / "site"))
        importlib.invalidate_caches()


def measured(results):
    """Task → status and scores of the newest record."""
    found = {}
    for path in sorted(results.glob("runs/*/*/*/record.json")):
        record = json.loads(path.read_text())
        scores = {(s["metric"], s["filter"]): pytest.approx(s["value"], rel=1e-5) for s in record["scores"]}
        found[record["task"]] = (record["status"], scores, record["counts"] | {"reused": 0})
    return found


@pytest.fixture(scope="module")
def by_hf(tmp_path_factory):
    from minizoo.cli import run

    results = tmp_path_factory.mktemp("hf")
    assert run(["eval", "nano-teacher", *map(str, SUITE), "--device", "cpu", "--results", str(results), "--json"]) == 0
    return measured(results)


def served(minizoo, url, results, *more):
    return minizoo(
        "eval", "nano-teacher", *SUITE, "--backend", "openai", "--endpoint", url, "--results", results, "--json", *more
    )


def test_scores_equal_those_of_hf_though_a_tenth_of_connections_is_dropped(
    minizoo, teacher, by_hf, tmp_path, monkeypatch
):
    monkeypatch.setenv("MINIZOO_ENDPOINT_KEY", KEY)
    with serving(teacher, drops=10, busy=3, halves=23, key=KEY) as (url, _):
        ran = served(minizoo, url, tmp_path)
    assert ran.code == 0, ran.err
    assert measured(tmp_path) == by_hf
    texts = [path.read_text() for path in tmp_path.glob("runs/*/*/*/*.json")]
    assert texts
    assert not any(KEY in text for text in [*texts, ran.out, ran.err])
    setting = json.loads(texts[0])["setting"]
    assert (setting["backend"], setting["device"]) == ("openai", "served")
    assert setting["versions"]["served model"] == "nano-teacher"
    assert setting["gpu"] is None


def test_a_server_that_dies_ends_the_run_and_the_same_command_goes_on(minizoo, teacher, by_hf, tmp_path):
    with serving(teacher, version=None) as (url, does):
        does.dies_when = lambda: any(len(log.read_text().splitlines()) > 3 for log in tmp_path.glob(ANSWERS))
        ran = served(minizoo, url, tmp_path)
        assert ran.code == 4
        assert ran.json()["code"] == "server-failing"
        (kept,) = tmp_path.glob(ANSWERS)
        answered = {json.loads(line)["key"] for line in kept.read_text().splitlines()}
        assert answered
        does.dies_when = None
        asked = len(does.seen)
        again = served(minizoo, url, tmp_path)
        assert again.code == 0, again.err
        assert measured(tmp_path) == by_hf
        sent = [tuple(body["prompt"]) for body in does.seen[asked:]]
        assert len(sent) < 20 + sum(counts["requests"] for *_, counts in by_hf.values()) - len(answered)


def test_a_server_without_log_probabilities_scores_nothing_and_says_why(minizoo, teacher, tmp_path):
    with serving(teacher, rows="chance", version=None) as (url, _):
        ran = served(minizoo, url, tmp_path)
    assert ran.code == 2
    assert ran.json()["code"] == "no-prompt-logprobs"
    assert "exactly chance" in ran.json()["what"]
    assert not measured(tmp_path)


@pytest.mark.parametrize("backend", [[], ["--backend", "hf"]])
def test_an_endpoint_that_the_backend_would_pass_over_is_refused(minizoo, tmp_path, backend):
    ran = minizoo("eval", "nano-teacher", *SUITE, *backend, "--endpoint", "http://127.0.0.1:1", "--results", tmp_path)
    assert ran.code == 2
    assert "--endpoint goes with --backend openai" in ran.err


def test_a_bench_of_a_served_model_has_the_clients_times_and_is_not_valid(minizoo, teacher, tmp_path):
    with serving(teacher) as (url, _):
        ran = minizoo(
            *("bench", "nano-teacher", "--backend", "openai", "--endpoint", url, "--batch", 1, "--trials", 2),
            *("--seconds", 0.1, "--even-if-busy", "--results", tmp_path, "--json"),
        )
    assert ran.code == 3, ran.err
    (record,) = ran.json()["records"]
    assert any("a server runs the model" in reason["text"] for reason in record["speed"]["validity"]["reasons"])
    assert "client" in record["setting"]["versions"]["times"]
    assert record["setting"]["processor"] is None
    assert record["speed"]["memory"] == {"allocator": None, "device": None, "resident": None}
