"""The linter finds by itself what sources contradict: nothing of it is written down as a conflict."""

import pytest

from zoo.registry.lint import lint
from zoo.registry.loader import load_registry, shipped_path


@pytest.fixture(scope="module")
def findings():
    return lint(load_registry())


def test_the_two_revisions_of_minitron_8b_have_their_own_scores(findings):
    found = {f.topic: f.text for f in findings if (f.rule, f.subject) == ("revision", "minitron-8b")}
    assert "52.6" in found["arc_challenge"]
    assert "49.2" in found["arc_challenge"]
    assert "63.8" in found["mmlu"]
    assert "64.5" in found["mmlu"]


@pytest.mark.parametrize("model", ["mistral-nemo-minitron-8b", "llama-3.1-minitron-4b-width", "minitron-8b"])
def test_zero_shot_labels_over_few_shot_figures_are_found(findings, model):
    text = next(f.text for f in findings if (f.rule, f.subject) == ("shots", model))
    assert "hellaswag" in text
    assert "10-shot or 0-shot" in text
    assert "25-shot or 0-shot" in text


def test_xl_sum_is_0_shot_and_3_shot_in_both_papers(findings):
    found = [f for f in findings if f.rule == "shots" and f.topic == "xlsum_en"]
    assert {f.subject for f in found} == {"minitron-tables", "practice-tables"}
    assert all("3-shot in the table" in f.text and "0-shot" in f.text for f in found)


def test_a_rounded_figure_is_no_conflict(findings):
    # the blog's 58.45 is the paper's 58.5
    nemo = [f for f in findings if f.subject == "mistral-nemo-minitron-8b" and f.rule == "conflict"]
    assert nemo == []


def test_mbpp_of_the_width_card_conflicts_with_the_paper(findings):
    found = next(f for f in findings if (f.rule, f.subject) == ("conflict", "llama-3.1-minitron-4b-width"))
    assert "32.4" in found.text
    assert "32 in width-card" in found.text


def test_other_scales_and_metrics_are_told_apart(findings):
    found = {
        f.topic: f.text for f in findings if (f.rule, f.subject) == ("measure", "mistral-nemo-minitron-8b-instruct")
    }
    assert "31.5" in found["gpqa"]
    assert "5.03" in found["gpqa"]
    assert "normalised for chance" in found["gpqa"]
    assert "84.4" in found["ifeval"]
    assert "50.04" in found["ifeval"]


def test_words_that_dimensions_refute_are_found(findings):
    said = {(f.subject, f.topic): f.text for f in findings if f.rule == "statement"}
    assert "says 32; the entry has 24" in said["minitron-4b", "num_attention_heads"]
    assert "says 3.7B; the entry has 3,489,796,096" in said["llama-3.1-minitron-4b-depth", "non_embedding_parameters"]
    assert "says 5.9B" in said["llama-3-8b", "non_embedding_parameters"]


def test_an_axis_called_pruned_that_kept_its_size_is_found(findings):
    axis = next(f for f in findings if (f.rule, f.subject) == ("axis", "minitron-8b"))
    assert axis.topic == "num_attention_heads"
    assert "have 48" in axis.text


def test_query_width_other_than_hidden_is_found(findings):
    widths = {f.subject: f.text for f in findings if f.rule == "width"}
    assert widths["minitron-8b"].startswith("48 heads × 128 = 6144")
    assert "minitron-4b" not in widths  # 24 × 128 = 3072


def test_copies_are_called_copies(findings):
    assert {f.topic for f in findings if f.rule == "copy"} == {"minitron-8b-promptlayer", "mn-minitron-news"}


def test_both_speeds_of_one_paper_and_its_batches_are_found(findings):
    texts = " ".join(f.text for f in findings if f.rule == "speed")
    assert "at batch 64 against 32" in texts
    assert "1.8× (Runtime Performance Analysis) and 1.7× (Insights)" in texts


def test_a_task_that_chose_the_shape_is_found(findings):
    assert [(f.subject, f.topic) for f in findings if f.rule == "selection"] == [
        ("llama-3.1-minitron-4b-depth", "winogrande")
    ]


def test_a_finding_points_at_its_line(findings):
    lines = shipped_path().read_text("utf-8").splitlines()
    width = next(f for f in findings if (f.rule, f.subject) == ("width", "minitron-8b"))
    assert "type: dense" in lines[width.line - 1]
    revision = next(f for f in findings if (f.rule, f.topic) == ("revision", "arc_challenge"))
    assert "arc_challenge: 49.2" in lines[revision.line - 1]


def test_a_new_contradiction_is_found_without_being_told(tmp_path):
    # the card's HellaSwag is raised by three points: a conflict between two sources appears
    text = (
        shipped_path()
        .read_text("utf-8")
        .replace("hellaswag: 76.1, winogrande: 73.5, gsm8k", "hellaswag: 79.1, winogrande: 73.5, gsm8k")
    )
    (tmp_path / "registry.yaml").write_text(text)
    found = [f for f in lint(load_registry(tmp_path / "registry.yaml")) if f.subject == "llama-3.1-minitron-4b-width"]
    assert any("79.1" in f.text and f.topic == "hellaswag" for f in found)


def test_lint_lists_and_exits_0(minizoo):
    ran = minizoo("models", "--lint")
    assert ran.code == 0
    assert "none of them an error" in ran.out
    assert len(minizoo("models", "--lint", "--json").json()["findings"]) == len(lint(load_registry()))
