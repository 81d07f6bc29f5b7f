"""What `minizoo prune` is told and tells: its parent, how each axis was chosen, what calibration lacks, what it takes."""

import json

import pytest

from zoo.prune.parent import open_parent
from zoo.prune.plan import read_plan
from zoo.prune.scores import load_scores, random_scores, save_scores


@pytest.fixture
def text(data):
    return data / "text" / "tinystories_sample.txt"


def test_the_parent_is_the_first_argument_as_well_as_an_option(minizoo):
    edge = ["--recipe", "minitron-4b", "--plan-only", "--json"]
    first = minizoo("prune", "minitron-8b", *edge)
    assert first.code == 0
    assert first.json() == minizoo("prune", "--parent", "minitron-8b", *edge).json()
    target = minizoo("prune", "minitron-8b", "--target", "hidden=3072", "ffn=9216", "heads=24", "--plan-only", "--json")
    assert target.json()["parameters"] == first.json()["parameters"]


def test_a_folder_whose_name_looks_like_a_target_is_a_parent(minizoo, stories, tmp_path, monkeypatch):
    (tmp_path / "ffn=128").symlink_to(stories)
    monkeypatch.chdir(tmp_path)
    assert minizoo("prune", "ffn=128", "--target", "layers=3", "--plan-only").code == 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["minitron-8b", "--parent", "minitron-8b", "--target", "layers=3"], "given twice"),
        (["--target", "layers=3"], "Missing argument 'PARENT'"),
        (["--parent", "minitron-8b", "--target", "ffn"], "'ffn' is no target"),
        (["--parent", "minitron-8b", "--target", "layers=3", "heads"], "'heads' is no target"),
        (["minitron-8b", "--target", "layers=3", "nonsense"], "'nonsense' is no target"),
        (["minitron-88b", "--target", "layers=3"], "minitron-88b"),
    ],
)
def test_a_parent_that_is_missing_or_given_twice_is_refused(words, says, minizoo):
    ran = minizoo("prune", *words, "--plan-only", "--json")
    assert (ran.code, says in ran.json()["what"]) == (2, True)


def chosen(minizoo, *words):
    return minizoo("prune", *words, "--json").json()["chosen"]


@pytest.mark.parametrize(
    ("target", "axes", "method"),
    [
        (["drop=1-2"], {"layers": "named in the request"}, "layers named in the request"),
        (
            ["drop=1", "ffn=128"],
            {"ffn": "importance (random, seed 0)", "layers": "named in the request"},
            "importance (random, seed 0); layers named in the request",
        ),
        (
            ["layers=4", "hidden=56"],
            {"hidden": "importance (random, seed 0)", "layers": "Block Influence, contiguous"},
            "importance (random, seed 0); layers by bi, contiguous",
        ),
    ],
)
def test_each_axis_says_what_chose_its_units(target, axes, method, minizoo, stories, tmp_path):
    save_scores(tmp_path / "scores", random_scores(open_parent(stories).dims, 0))
    words = [stories, "--scores", tmp_path / "scores", "--target", *target, "--out", tmp_path / "child"]
    ran = minizoo("prune", *words, "--json")
    told = ran.json()["chosen"]
    assert (told["axes"], told["method"]) == (axes, method)
    assert json.loads((tmp_path / "child" / "minizoo.json").read_text())["chosen"]["axes"] == axes
    assert read_plan(tmp_path / "child" / "plan.json").chosen.axes == axes
    card = (tmp_path / "child" / "README.md").read_text()
    assert all(f"  - {axis}: {how}\n" in card for axis, how in axes.items())
    scored = any("importance" in how or "Influence" in how for how in axes.values())
    assert (tmp_path / "child" / "importance").exists() == bool(told["scores_digest"]) == scored
    assert ("no scores are used" in ran.err) == (not scored)


def test_layers_that_a_recipe_names_are_said_to_be_named_there(minizoo):
    told = chosen(minizoo, "llama-3.1-8b", "--recipe", "llama-3.1-minitron-4b-depth", "--plan-only")
    assert told["axes"] == {"layers": "named in the recipe"}
    assert told["method"].endswith("; layers named in the recipe")


def test_calibration_that_names_all_layers_is_not_measured(minizoo, stories, text, tmp_path):
    ran = minizoo("prune", stories, "--target", "drop=1", "--calibration", text, "--out", tmp_path / "child")
    assert (ran.code, "no scores are measured: the request names the layers" in ran.err) == (0, True)
    assert "layers named in the request" in ran.out


def test_calibration_with_fewer_and_shorter_rows_than_asked_for_says_so_everywhere(minizoo, stories, text, tmp_path):
    few = tmp_path / "few.txt"
    few.write_text(text.read_text()[:9000])
    ask = [stories, "--target", "ffn=128", "--calibration", few, "--length", 600, "--out", tmp_path / "child"]
    ran = minizoo("prune", *ask, "--json")
    plan = read_plan(tmp_path / "child" / "plan.json").chosen
    rows, length = plan.calibration_shape
    assert (length, plan.calibration_asked) == (512, (1024, 600))
    assert 1 < rows < 20
    told = f"{rows} rows of 512 tokens (1,024 rows were asked: the text has no more; rows of 600 tokens were asked"
    assert told in ran.err
    assert ran.err.index("Calibration:") < ran.err.index("Measuring importance")
    assert ran.json()["chosen"]["calibration_shape"] == [rows, 512]
    assert ran.json()["chosen"]["measured_on"] == "float32 on cpu"
    assert f"{rows} rows of 512 tokens (1,024 rows were asked" in (tmp_path / "child" / "README.md").read_text()
    provenance = load_scores(tmp_path / "child" / "importance").provenance
    assert (provenance["devices"], provenance["dtype"]) == (["cpu"], "float32")
    shown = minizoo("prune", *ask[:-1], tmp_path / "again")
    assert f"few.txt: {told}" in " ".join(shown.out.split())
    assert "FLOP, " in shown.err
    assert " min at " in shown.err or " s at " in shown.err


def test_a_plan_tells_what_measuring_would_take_and_hours_where_the_rate_is_given(minizoo):
    words = ["mistral-nemo-12b", "--target", "layers=30", "--depth-by", "ppl", "--samples", 64, "--plan-only"]
    shown = minizoo("prune", *words).out
    assert "64 rows of 512 tokens" in shown
    assert "unknown; --tflops N" in shown
    told = minizoo("prune", *words, "--tflops", 100, "--json").json()["measurement"]
    assert told["tokens"] == 64 * 512
    assert told["estimated_seconds"] == told["flops"] / 1e14
    assert told["made"] is False
    assert "about" in minizoo("prune", *words, "--tflops", 100).out
    assert minizoo("prune", "llama-3.1-8b", "--target", "drop=1", "--plan-only", "--json").json()["measurement"] is None


ROW = '{"id": 1, "content": "%s", "meta": {"body": "%s"}, "tags": ["a"], "none": null}\n'


@pytest.fixture
def lines(tmp_path, text):
    """A file of lines whose texts stand in other columns; one holds what ends a line elsewhere."""
    story = text.read_text()[:1500].replace("\n", " ").replace('"', "'")
    path = tmp_path / "lines.jsonl"
    path.write_text(ROW % (f"a\u2028b\x85{story}", story) * 4, encoding="utf-8")
    return path


@pytest.mark.parametrize("column", ["content", "meta.body"])
def test_the_column_of_the_text_can_be_named(column, lines, minizoo, stories, tmp_path):
    words = [stories, "--calibration", lines, "--scores-only", "--length", 64, "--out", tmp_path / "s"]
    ran = minizoo("prune", *words, "--text-column", column, "--json")
    assert ran.code == 0
    assert ran.json()["calibration"] == "lines.jsonl"


@pytest.mark.parametrize(
    ("name", "content", "words", "says"),
    [
        ("x.jsonl", ROW % ("t", "t"), [], ["x.jsonl:1 has no column 'text'", "'content'", "content or meta.body"]),
        ("x.jsonl", '{"text": "t"}\n{"txt": "u"}\n', [], ["x.jsonl:2 has no column 'text', though lines before it have"]),
        ("x.jsonl", ROW % ("t", "t"), ["--text-column", "meta"], ["holds an object in column 'meta'", "meta.body"]),
        ("x.jsonl", ROW % ("t", "t"), ["--text-column", "tags"], ["holds a list in column 'tags'"]),
        ("x.jsonl", ROW % ("t", "t"), ["--text-column", "none"], ["holds null in column 'none'"]),
        ("x.jsonl", ROW % ("t", "t"), ["--text-column", "meta.none"], ["no column 'meta.none'"]),
        ("x.jsonl", '["t"]\n', [], ["x.jsonl:1 holds a list, no object"]),
        ("x.jsonl", '{"text"\n', [], ["x.jsonl:1 is no JSON"]),
        ("x.jsonl", '{"\\u001b[2J": "t"}\n', [], ["\\x1b[2J"]),
        ("x.txt", "t", ["--text-column", "content"], ["x.txt has no columns"]),
        ("x.json", '[{"text": "t"}]', [], ["is one JSON document", "jq"]),
        ("x.txt.gz", "t", [], ["is compressed", "Unpack"]),
        ("x.parquet", "t", [], ["is Parquet"]),
        ("x.csv", "t", [], ["is a table"]),
        ("x.npz", "t", [], ["several arrays"]),
        (".", "", [], ["is a folder"]),
        ("y.txt", None, [], ["There is no"]),
        ("y.npy", None, [], ["There is no"]),
    ],
)  # fmt: skip
def test_calibration_of_another_form_is_refused_in_words(name, content, words, says, minizoo, stories, tmp_path):
    if content:
        (tmp_path / name).write_text(content)
    ran = minizoo(
        "prune", stories, "--calibration", tmp_path / name, *words, "--scores-only", "--out", tmp_path / "s", "--json"
    )
    told = ran.json()
    assert (ran.code, told["code"]) == (2, "invalid-calibration")
    for words in says:
        assert words in f"{told['what']} {told['hint']}"
    assert "\x1b" not in ran.err
    assert not [path for path in tmp_path.iterdir() if path.name != name]


def test_a_column_without_calibration_is_refused(minizoo, stories, tmp_path):
    ran = minizoo("prune", stories, "--target", "drop=1", "--text-column", "x", "--out", tmp_path / "child", "--json")
    assert ran.json()["code"] == "conflicting-options"


def test_a_task_that_there_is_not_is_refused_before_importance_is_measured(minizoo, stories, text, data, tmp_path):
    words = [
        stories,
        "--target",
        "layers=3",
        "--calibration",
        text,
        "--depth-by",
        "task",
        "--depth-task",
        "no_such_task",
    ]
    ran = minizoo("prune", *words, "--data", data, "--out", tmp_path / "child", "--json")
    assert ran.code == 2
    assert "Measuring importance" not in ran.err
    assert list(tmp_path.iterdir()) == []
