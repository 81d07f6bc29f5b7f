"""`minizoo models` and its graphs, lint and table."""

import re
import xml.etree.ElementTree as ElementTree

import pytest
from support.paths import ROOT

from zoo.registry.describe import MARKS, markdown_table
from zoo.registry.loader import load_registry, shipped_path
from zoo.registry.schema import GROUPS


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
    hostile = shipped_path().read_text("utf-8").replace(
        "display: Minitron-8B-Base\n", 'display: "<script>alert(1)</script> & \\"x\\""\n', 1
    )  # fmt: skip
    (tmp_path / "registry.yaml").write_text(hostile)
    monkeypatch.setattr("zoo.registry.loader.shipped_path", lambda: tmp_path / "registry.yaml")
    picture = minizoo("models", "--lineage", "--as", "svg").out
    assert "<script>" not in picture
    texts = [
        "".join(node.itertext()) for node in ElementTree.fromstring(picture).iter("{http://www.w3.org/2000/svg}text")
    ]
    assert any(text.startswith("<script>alert(1)</script> & ") for text in texts)
    assert "<script>" not in minizoo("models", "--lineage", "--as", "mermaid").out


def test_lineage_as_json_has_the_edges(minizoo):
    edges = minizoo("models", "--lineage", "--json").json()["edges"]
    assert {"nemotron-4-15b"} == {edge["parent"] for edge in edges if edge["child"] == "minitron-8b"}


def test_a_planted_error_makes_every_form_exit_with_usage(minizoo, tmp_path, monkeypatch):
    broken = shipped_path().read_text("utf-8").replace("num_kv_heads: 8,", "num_kv_heads: 7,", 1)
    (tmp_path / "registry.yaml").write_text(broken)
    monkeypatch.setattr("zoo.registry.loader.shipped_path", lambda: tmp_path / "registry.yaml")
    told = minizoo("models", "--json")
    assert (told.code, told.json()["code"]) == (2, "invalid-registry")
    for form in ([], ["--lint"], ["--lineage"], ["--markdown"]):
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


def test_the_documented_file_can_be_added_as_it_stands(minizoo, tmp_path, monkeypatch):
    page = (ROOT / "docs/registry.md").read_text("utf-8")
    added = tmp_path / "mine.yaml"
    added.write_text(re.search(r"```yaml\n(schema: minizoo.registry/1\n.*?)```", page, re.DOTALL)[1])
    monkeypatch.setenv("MINIZOO_REGISTRY", str(added))
    told = minizoo("models", "--json").json()
    assert (told["added"], told["models"][-1]["id"]) == ([str(added)], "my-model")
    shown = minizoo("show", "example/my-4b", "--json").json()
    assert shown["lineage"]["parent"] == "llama-3.1-8b"
    assert {score["source_id"] for score in shown["published_scores"]} == {"my-card"}
    assert minizoo("show", "my-4b").code == 0


def test_every_group_is_explained_below_the_list(minizoo):
    out = minizoo("models").out
    assert all(f"{group}: {words}." in out for group, words in GROUPS.items())
    page = (ROOT / "docs/registry.md").read_text("utf-8")
    assert all(f"| `{group}` | {words} |" in page for group, words in GROUPS.items())


def test_lint_names_the_file_and_line_of_each_finding(minizoo):
    finding = minizoo("models", "--lint", "--json").json()["findings"][0]
    assert f"{finding['file']}:{finding['line']}" in minizoo("models", "--lint").out
    assert finding["file"] == "registry.yaml"
