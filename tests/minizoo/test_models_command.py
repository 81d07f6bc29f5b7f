"""`minizoo models` and its graphs, lint and table."""

import re
import xml.etree.ElementTree as ElementTree

import pytest
from support.paths import ROOT

from zoo.registry.describe import MARKS, markdown_table
from zoo.registry.loader import default_path, load_registry


def test_every_model_is_listed_with_its_count_by_closed_form(minizoo):
    ran = minizoo("models")
    assert ran.code == 0
    for model in load_registry().models:
        assert model in ran.out
    assert "8,271,699,968" in ran.out


def test_json_lists_the_same_models(minizoo):
    listed = minizoo("models", "--json").json()["models"]
    assert [row["id"] for row in listed] == list(load_registry().models)
    assert next(row for row in listed if row["id"] == "nano-teacher")["weights"] == "shipped"
    assert next(row for row in listed if row["id"] == "nemotron-4-15b")["weights"] == "not public"


def test_the_lineage_tree_shows_children_under_their_parents(minizoo):
    lines = minizoo("models", "--lineage").out.splitlines()
    parent = next(i for i, line in enumerate(lines) if line.startswith("nemotron-4-15b"))
    assert "minitron-8b" in lines[parent + 1]
    assert "hidden_size 6144→4096" in lines[parent + 1]
    assert lines[parent + 2].index("minitron-4b") > lines[parent + 1].index("minitron-8b")


def test_mermaid_has_an_arrow_for_every_parent(minizoo):
    graph = minizoo("models", "--lineage", "--as", "mermaid").out
    edges = [m for m in load_registry().models.values() if m.lineage is not None and m.lineage.parent is not None]
    assert graph.startswith("graph LR\n")
    assert len(re.findall(r"-->", graph)) == len(edges)
    assert graph.count("-.->|teacher|") > 0


def test_the_svg_is_well_formed_and_escapes_hostile_names(minizoo, tmp_path, monkeypatch):
    hostile = default_path().read_text("utf-8").replace(
        "display: Minitron-8B-Base\n", 'display: "<script>alert(1)</script> & \\"x\\""\n', 1
    )  # fmt: skip
    (tmp_path / "registry.yaml").write_text(hostile)
    monkeypatch.setenv("MINIZOO_REGISTRY", str(tmp_path / "registry.yaml"))
    picture = minizoo("models", "--lineage", "--as", "svg").out
    assert "<script>" not in picture
    texts = [node.text for node in ElementTree.fromstring(picture).iter("{http://www.w3.org/2000/svg}text")]
    assert any(text and text.startswith("<script>alert(1)</script> & ") for text in texts)
    assert "<script>" not in minizoo("models", "--lineage", "--as", "mermaid").out


def test_lineage_as_json_has_the_edges(minizoo):
    edges = minizoo("models", "--lineage", "--json").json()["edges"]
    assert {"nemotron-4-15b"} == {edge["parent"] for edge in edges if edge["child"] == "minitron-8b"}


def test_a_planted_error_makes_every_form_exit_with_usage(minizoo, tmp_path, monkeypatch):
    broken = default_path().read_text("utf-8").replace("num_kv_heads: 8,", "num_kv_heads: 7,", 1)
    (tmp_path / "registry.yaml").write_text(broken)
    monkeypatch.setenv("MINIZOO_REGISTRY", str(tmp_path / "registry.yaml"))
    for form in ([], ["--lint"], ["--lineage"], ["--markdown"], ["--json"]):
        ran = minizoo("models", *form)
        assert (ran.code, ran.out) == (2, "")
        assert re.match(r"minizoo: registry\.yaml:\d+:\d+: models → minitron-8b → architecture", ran.err)
        assert "Traceback" not in ran.err


def test_two_forms_at_once_are_refused(minizoo):
    assert minizoo("models", "--lint", "--lineage").code == 2


def test_the_readme_table_is_current():
    readme = (ROOT / "README.md").read_text("utf-8")
    if MARKS[0] not in readme:
        pytest.skip("the README has no table of models yet")
    table = readme[readme.index(MARKS[0]) : readme.index(MARKS[1]) + len(MARKS[1])] + "\n"
    assert table == markdown_table(load_registry()), "run: minizoo models --markdown"


def test_the_documented_entry_can_be_added_as_it_stands(tmp_path):
    page = (ROOT / "docs/registry.md").read_text("utf-8")
    entry = re.search(r"```yaml\n(  my-model:\n.*?)```", page, re.DOTALL)[1]
    text = default_path().read_text("utf-8").replace("\ncompared:\n", f"\n{entry}\ncompared:\n", 1)
    (tmp_path / "registry.yaml").write_text(text)
    assert load_registry(tmp_path / "registry.yaml").resolve("my-model").lineage.parent == "llama-3.1-8b"
