"""`minizoo search` as a user meets it: whole small searches of the nano family."""

import json
import os
import shutil
import signal

import pytest
import yaml

import zoo.search.stages.distilling as distilling
from minizoo.display.search.progress import SearchProgress
from zoo.errors import LossNotFinite
from zoo.prune.plan import read_plan
from zoo.registry.loader import shipped_path

SMALL = [
    "--budget", "params=50%", "--candidates", 3, "--keep", 2, "--tokens", 2048, "--batch", 4, "--length", 128, "--rungs", 3,
    "--held-out", 30, "--samples", 4, "--confirm", 2, "--device", "cpu",
]  # fmt: skip

QUICK = ["--candidates", 1, "--keep", 1, "--rungs", 1, "--confirm", 0]
"""One candidate, trained once and not confirmed."""


@pytest.fixture
def search(minizoo):
    """Run a small search of the nano teacher; more words come last and win."""
    return lambda out, *words: minizoo("search", "--parent", "nano-teacher", *SMALL, "--out", out, *words)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of a search that nothing disturbed: made by the first test that asks."""
    return tmp_path_factory.mktemp("search") / "whole"


@pytest.fixture
def found(search, whole):
    if not whole.exists():
        assert (ran := search(whole)).code == 0, ran.err
    return json.loads((whole / "search.json").read_text())


def without_clock(document):
    return {key: value for key, value in document.items() if key != "seconds"}


def test_a_search_leaves_a_plan_a_document_a_page_and_the_candidates(found, whole, minizoo, tmp_path):
    assert sorted(path.name for path in whole.iterdir()) == [
        "candidates.csv", "plan.json", "request.json", "search.json", "search.md",
    ]  # fmt: skip
    winner = next(each for each in found["candidates"] if each["number"] == found["winner"])
    plan = read_plan(whole / "plan.json")
    assert (plan.digest(), plan.parameters) == (found["plan_digest"], winner["parameters"])
    assert plan.chosen.method.startswith("shape by minizoo search for params=50%, seed 0; importance")
    assert winner["rank"] == 1
    assert len((whole / "candidates.csv").read_text().splitlines()) == found["within_budget"] + 1
    assert (minizoo("prune", "nano-teacher", "--plan", whole / "plan.json", "--out", tmp_path / "child")).code == 0
    assert (tmp_path / "child/config.json").is_file()
    page = (whole / "search.md").read_text()
    assert winner["target"] in page
    assert all(sentence in page for sentence in found["how_sure"])


def test_it_says_how_sure_it_is(found):
    assert found["stopped"] in ("one is left", "settled", "tokens spent")
    trained = [each for each in found["candidates"] if each["steps"]]
    assert (len(found["candidates"]), len(trained)) == (3, 2)
    assert found["tokens"]["all_candidates"] == sum(each["tokens"] for each in trained)
    assert [rung["tokens"] for rung in found["rungs"]] == sorted({rung["tokens"] for rung in found["rungs"]})
    assert found["rungs"][0]["tau"] is None
    last = [each["losses"][str(found["tokens"]["a_candidate"])] for each in trained if each["rank"] == 1]
    assert last[0] < found["candidates"][0]["pruned_loss"]
    confirmation = found["confirmation"]
    assert [pair["seed"] for pair in confirmation["pairs"]] == [1000, 1001]
    assert confirmation["lower"] <= confirmation["difference"] <= confirmation["upper"]
    assert confirmation["verdict"] in " ".join(found["how_sure"])


def test_a_finished_search_is_not_computed_again_and_another_is_refused(found, whole, search, monkeypatch):
    monkeypatch.setattr("zoo.search.run.open_parent", None)
    again = search(whole, "--json")
    assert (again.code, without_clock(again.json())["winner"]) == (0, found["winner"])
    other = search(whole, "--seed", 1, "--json")
    assert (other.code, other.json()["code"]) == (2, "other-search")
    assert "seed was 0, now 1" in other.json()["what"]


@pytest.mark.parametrize("way", ["signal", "kill"])
def test_a_search_that_is_stopped_goes_on_to_the_same_outcome(found, search, tmp_path, monkeypatch, way):
    told, seen = SearchProgress.trained, []

    def trained(self, name, metrics, steps):
        told(self, name, metrics, steps)
        seen.append(name)
        if len(seen) == 4:
            monkeypatch.setattr(SearchProgress, "trained", told)
            if way == "kill":
                raise KeyboardInterrupt
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(SearchProgress, "trained", trained)
    stopped = search(tmp_path / "out")
    assert stopped.code == 130
    assert not (tmp_path / "out/search.json").exists()
    if way == "signal":
        assert "Stopped by SIGTERM" in stopped.out
    assert (ran := search(tmp_path / "out")).code == 0, ran.err
    assert without_clock(json.loads((tmp_path / "out/search.json").read_text())) == without_clock(found)


def test_a_candidate_that_diverges_is_recorded_and_ranked_last(found, search, tmp_path, monkeypatch):
    lost = next(each["plan_digest"] for each in found["candidates"] if each["rank"] == 1)
    real = distilling.train

    def train(*words, student_digest, **others):
        if student_digest == lost:
            raise LossNotFinite("The loss of step 2 is nan.", "Take a smaller rate.")
        return real(*words, student_digest=student_digest, **others)

    monkeypatch.setattr(distilling, "train", train)
    ran = search(tmp_path / "out", "--confirm", 0, "--json")
    assert ran.code == 0, ran.err
    last = ran.json()["candidates"][-1]
    assert (last["plan_digest"], last["diverged"]) == (lost, "The loss of step 2 is nan.")
    assert "diverged" in (tmp_path / "out/search.md").read_text()


def test_where_every_candidate_diverges_it_is_an_error(search, tmp_path, monkeypatch):
    def train(*_words, **_others):
        raise LossNotFinite("The loss of step 1 is nan.", "")

    monkeypatch.setattr(distilling, "train", train)
    ran = search(tmp_path / "out", *QUICK, "--json")
    assert (ran.code, ran.json()["code"]) == (2, "all-diverged")


def test_a_teachers_cache_of_another_parent_is_refused(search, tmp_path):
    cache = tmp_path / "cache"
    assert search(tmp_path / "one", *QUICK, "--teacher-cache", cache).code == 0
    manifest = json.loads((cache / "manifest.json").read_text())
    (cache / "manifest.json").write_text(json.dumps(manifest | {"teacher": "another's"}))
    ran = search(tmp_path / "two", *QUICK, "--teacher-cache", cache, "--json")
    assert (ran.code, ran.json()["code"]) == (2, "cache-of-other-teacher")


def test_text_of_ones_own_is_split_and_named(search, tmp_path):
    from zoo.nano.corpus import write_documents

    write_documents(tmp_path / "mine.jsonl", 7, 900)
    ran = search(tmp_path / "out", "--data", tmp_path / "mine.jsonl", *QUICK, "--json")
    assert ran.code == 0, ran.err
    assert ran.json()["text"]["sources"] == ["mine.jsonl"]


@pytest.mark.parametrize("budget", ["memory=18.2GB@8192x1", "latency=4.9ms@H100"])
def test_the_published_shape_is_listed_by_its_parents_dimensions_alone(minizoo, budget):
    ran = minizoo("search", "mistral-nemo-12b", "--budget", budget, "--plan-only", "--json").json()
    shapes = [(each["layers"], each["heads"], each["hidden"], each["ffn"]) for each in ran["candidates"]]
    assert (40, 32, 4096, 11520) in shapes
    assert ran["head_dim"] == 128
    assert ran["budget"]["chooses_depth"] == (budget[0] == "m")
    assert sum(each["tried"] is not None for each in ran["candidates"]) == 12
    shown = minizoo("search", "mistral-nemo-12b", "--budget", budget, "--plan-only").out
    assert any("4096" in line and "11520" in line and line.split()[:2] == ["40", "32"] for line in shown.splitlines())
    assert ("lower bound" in shown) == (budget[0] == "l")


@pytest.mark.parametrize("budget", ["memory=18.2GB@8192x1", "latency=4.9ms@H100"])
def test_a_registry_that_has_never_heard_of_the_child_lists_the_same(minizoo, tmp_path, monkeypatch, budget):
    """The search names no shape because somebody published it."""
    words = ("search", "mistral-nemo-12b", "--budget", budget, "--plan-only", "--json")
    known = minizoo(*words).json()
    childless = tmp_path / "registry.yaml"
    childless.write_text(yaml.safe_dump(only("mistral-nemo-12b", shipped_path())))
    monkeypatch.setattr("zoo.registry.loader.shipped_path", lambda: childless)
    assert minizoo("show", "mistral-nemo-minitron-8b").code == 2
    assert minizoo(*words).json() == known


def only(name, registry):
    """The registry's file with one model, and nothing that is about others."""
    content = yaml.safe_load(registry.read_text("utf-8"))
    models = {name: content["models"][name]}
    return {key: value for key, value in content.items() if key != "compared"} | {"models": models}


def test_a_plan_with_a_folder_writes_the_candidates_alone(minizoo, tmp_path):
    out = tmp_path / "plan"
    assert minizoo("search", "nano-teacher", "--budget", "params=50%", "--plan-only", "--out", out).code == 0
    assert [path.name for path in out.iterdir()] == ["candidates.csv"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["nano-teacher", "--budget", "params=oops", "--plan-only"], "invalid-budget"),
        (["nano-teacher", "--budget", "params=1B", "--plan-only"], "no-candidate"),
        (["nano-teacher", "--budget", "params=50%", "--axes", "width", "--plan-only"], "unknown-name"),
        (
            ["nano-teacher", "--budget", "latency=1ms@h100", "--axes", "layers,ffn", "--plan-only"],
            "conflicting-options",
        ),
        (["nano-teacher", "--budget", "params=50%"], "conflicting-options"),
        (["nobody", "--budget", "params=50%", "--plan-only"], "unknown-model"),
        (["nemotron-h-8b", "--budget", "params=50%", "--plan-only"], "unsupported-architecture"),
        (["nano-teacher", "--parent", "nano-width", "--budget", "params=50%"], "conflicting-options"),
    ],
)
def test_what_cannot_be_searched_is_refused_by_name(minizoo, words, code):
    ran = minizoo("search", *words, "--json")
    assert (ran.code, ran.json()["code"]) == (2, code)


def test_a_folder_with_something_else_is_not_touched(search, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/thesis.tex").write_text("mine")
    ran = search(tmp_path / "out", "--json")
    assert (ran.code, ran.json()["code"]) == (2, "other-search")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thesis.tex"]


def test_without_text_a_parent_that_makes_none_is_refused(minizoo, tmp_path):
    teacher = tmp_path / "teacher"
    shutil.copytree(read_folder(), teacher)
    ran = minizoo("search", teacher, "--budget", "params=50%", "--out", tmp_path / "out", "--json")
    assert (ran.code, ran.json()["code"]) == (2, "conflicting-options")
    assert "--data" in ran.json()["hint"]


def read_folder():
    from zoo.registry.loader import load_registry

    return load_registry().models["nano-teacher"].weights_folder
