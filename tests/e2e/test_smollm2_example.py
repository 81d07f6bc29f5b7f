"""examples/smollm2: the split of its text, its held-out task, and commands that are those of its README."""

import json
import os
import shlex
import subprocess
import sys
from importlib import util

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.paths import ROOT

from minizoo.cli import minizoo as group
from zoo.registry.loader import load_registry

FOLDER = ROOT / "examples/smollm2"
WIKITEXT = "EleutherAI/wikitext_document_level/wikitext-2-raw-v1/test.jsonl"
MADE = ("smollm2-135m-instruct-q4_1", "smollm2-135m-ffn-1152-pruned", "smollm2-135m-ffn-1152")


def python(*words):
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = [sys.executable, *map(str, words)]
    return subprocess.run(run, capture_output=True, text=True, check=False, cwd=ROOT, env=env)


def texts(path):
    return [json.loads(line)["text"] for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def pages():
    spec = util.spec_from_file_location("smollm2_pages", FOLDER / "tasks/pages.py")
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@settings(max_examples=50)
@given(st.lists(st.text(), max_size=20))
def test_every_document_is_on_one_side_whatever_stands_beside_it(pages, tmp_path_factory, documents):
    out = tmp_path_factory.mktemp("split")
    counts = pages.write(documents, documents, out)
    alone = [document for document in documents if not pages.is_held_out(document)]
    assert texts(out / "train.jsonl") == alone
    assert counts == (len(alone), len(documents) - len(alone))


def test_the_rule_of_the_split_never_changes(pages):
    assert [n for n in range(20) if pages.is_held_out(f"page {n}")] == HELD


HELD = [2, 6, 9, 10, 11, 12]


def test_pages_of_wikitext_are_trained_on_or_measured_never_both(pages, assets, tmp_path):
    from datasets import Dataset

    ran = python(FOLDER / "tasks/pages.py", tmp_path, "--mirror", assets / "data")
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == f"50 documents to train on in {tmp_path / 'train.jsonl'}, 12 held out\n"
    rows = [json.loads(line) for line in (assets / "data" / WIKITEXT).read_text().splitlines()]
    measured = [row["page"] for row in pages.held_out(Dataset.from_list(rows))]
    trained = set(texts(tmp_path / "train.jsonl"))
    assert (len(trained), len(measured)) == (50, 12)
    assert all(2000 < len(page) <= pages.MEASURED and page.endswith("\n") for page in measured)
    assert not any(text.startswith(pages.detokenized({"page": page})[:200]) for text in trained for page in measured)


def test_text_of_ones_own_is_split_and_measured(minizoo, assets, stories, tmp_path):
    own, out = tmp_path / "own.jsonl", tmp_path / "text"
    tales = (assets / "data/text/tinystories_sample.txt").read_text().split("\n\n")[:24]
    own.write_text("".join(json.dumps({"text": tale}) + "\n" for tale in tales))
    ran = python(FOLDER / "tasks/pages.py", out, "--own", own)
    assert ran.returncode == 0, ran.stderr
    kept = [tale for tale in tales if tale.strip()]
    held = len(kept) - len(texts(out / "train.jsonl"))
    assert 0 < held < len(kept)
    words = ["--suite", FOLDER / "suite_own.yaml", "--data", out / "mirror", "--results", tmp_path / "results"]
    ran = minizoo("eval", stories, *words, "--json")
    assert ran.code == 0, ran.err
    (found,) = [score for score in scores_in(ran.json()) if score["metric"] == "word_perplexity"]
    assert found["n"] == held
    assert 1 < found["value"] < 100


def scores_in(told):
    return [score for record in told["records"] for score in record["scores"]]


@pytest.mark.parametrize("content", ["no json\n", '{"other": "x"}\n', '{"text": 3}\n', "[]\n"])
def test_text_that_cannot_be_read_is_refused_in_one_line(pages, tmp_path, monkeypatch, content):
    own = tmp_path / "own.jsonl"
    own.write_text(content)
    monkeypatch.setattr(sys, "argv", ["pages.py", str(tmp_path / "text"), "--own", str(own)])
    with pytest.raises(
        SystemExit, match=r"own\.jsonl is no \.jsonl with a text in column `text` of every line\. Correct"
    ):
        pages.main()
    assert not (tmp_path / "text").exists()


def test_the_readme_has_the_commands_that_the_script_runs():
    ran = python(FOLDER / "run.py", "--print", "MIRROR")
    assert ran.returncode == 0, ran.stderr
    printed = [line.removeprefix("$ ") for line in ran.stdout.splitlines()]
    readme = (FOLDER / "README.md").read_text().replace("\\\n", " ").splitlines()
    written = [" ".join(line.split()) for line in readme if line.startswith(("minizoo ", "python examples/smollm2/"))]
    assert [line for line in written if line in printed] == printed
    for line in printed:
        name, *words = shlex.split(line)
        if name == "minizoo":
            context = group.make_context("minizoo", ["--help"], resilient_parsing=True)
            command = group.get_command(context, words[0])
            command.make_context(words[0], [str(ROOT) if word == "MIRROR" else word for word in words[1:]])


@pytest.mark.parametrize("name", MADE)
def test_a_model_that_is_made_says_where_it_comes_from(minizoo, name):
    ran = minizoo("eval", name)
    assert ran.code == 2
    assert "is on no hub: its weights are made by" in ran.err
    assert "examples/smollm2" in ran.err
    assert load_registry().models[name].hub is None
