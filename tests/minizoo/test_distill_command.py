"""`minizoo distill` as a user meets it, on the nano family."""

import json
import xml.etree.ElementTree as ElementTree

import pytest
from support.distilling import losses, short_run, weights, write_text

import zoo.distill.stages.teaching as teaching
from zoo.checkpoint.locate import open_folder
from zoo.checkpoint.safetensors import stored_tensors
from zoo.checkpoint.weight_files import weight_files
from zoo.prune.parent import open_parent
from zoo.prune.scores import random_scores, save_scores
from zoo.registry.loader import load_registry

TEACHER = load_registry().models["nano-teacher"].weights_folder


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    return write_text(tmp_path_factory.mktemp("text") / "nano.jsonl")


@pytest.fixture
def distill(minizoo, text, tmp_path):
    """Run a distillation of six steps; more words come last and win."""

    def call(*words, out="out", **others):
        return minizoo(*short_run(text, tmp_path / out, **others), *words)

    return call


def test_a_distilled_folder_is_a_checkpoint_with_a_note_a_card_and_a_picture(distill, minizoo, tmp_path):
    ran = distill("--json")
    out = tmp_path / "out"
    assert ran.code == 0, ran.err
    told, note = ran.json(), json.loads((out / "minizoo.json").read_text())
    assert (told["schema"], told["finished"], told["out"]) == ("minizoo.distillation/1", True, str(out))
    assert (note["parent"]["name"], note["teacher"]["name"]) == ("nano-teacher", "nano-teacher")
    assert note["weights_digest"] == open_folder(out).weights_digest()
    assert weights(out) == weights(load_registry().models["nano-width"].weights_folder)
    assert len(losses(out)) == note["training"]["steps"] == 6
    assert losses(out)[-1] < 0.9 * losses(out)[0]
    card = (out / "README.md").read_text()
    assert "# nano-width-pruned, distilled from nano-teacher" in card
    assert "nobody looked" in card
    assert "/" not in card.split("- Text: ")[1].split(" (rows")[0]  # no path of this machine
    assert ElementTree.parse(out / "losses.svg").getroot().get("role") == "img"
    shown = minizoo("show", out, "--json").json()
    assert (shown["parent"], shown["dimensions"]["hidden_size"]) == ("nano-teacher", 96)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]


def test_a_folder_that_is_there_is_not_overwritten(distill, tmp_path):
    (tmp_path / "out").mkdir()
    assert (ran := distill("--json")).code == 2
    assert ran.json()["code"] == "output-exists"


def test_a_plan_without_weights_is_cut_first(distill, minizoo, tmp_path):
    save_scores(tmp_path / "scores", random_scores(open_parent(TEACHER).dims, 0))
    words = ["--target", "hidden=96", "--scores", tmp_path / "scores", "--virtual", "--out", tmp_path / "plan"]
    assert minizoo("prune", "nano-teacher", *words).code == 0
    ran = distill(student=tmp_path / "plan")
    assert ran.code == 0, ran.err
    assert weights(tmp_path / "out")["model.embed_tokens.weight"] == (768, 96)
    assert losses(tmp_path / "out")[-1] < losses(tmp_path / "out")[0]


def test_a_teachers_cache_gives_the_live_teachers_losses_and_is_read_without_its_weights(
    distill, tmp_path, monkeypatch
):
    cache = ["--teacher-cache", tmp_path / "cache"]
    assert distill(out="live").code == 0
    made = distill(*cache, out="made")
    assert made.code == 0, made.err
    monkeypatch.setattr(teaching, "LiveTeacher", None)
    again = distill(*cache, out="again")
    assert again.code == 0, again.err
    assert losses(tmp_path / "made") == pytest.approx(losses(tmp_path / "live"), rel=1e-5)
    assert losses(tmp_path / "again") == losses(tmp_path / "made")
    other = distill(*cache, "--cache", "sampled:8", "--json", out="other")
    assert (other.code, other.json()["code"]) == (2, "cache-of-other-form")


def test_a_sampled_cache_trains_too_and_its_loss_is_the_live_teachers_as_far_as_samples_tell(distill, tmp_path):
    ran = distill("--teacher-cache", tmp_path / "cache", "--cache", "sampled:16")
    assert ran.code == 0, ran.err
    assert distill(out="live").code == 0
    assert losses(tmp_path / "out") == pytest.approx(losses(tmp_path / "live"), rel=0.1)
    note = json.loads((tmp_path / "out" / "minizoo.json").read_text())
    assert note["teacher_form"] == "sampled cache, 16 draws a token"
    assert losses(tmp_path / "out")[-1] < losses(tmp_path / "out")[0]


@pytest.mark.parametrize("when", ["before", "beside"])
def test_a_corrected_teacher_stays_beside_the_student(distill, when, tmp_path):
    words = ["--correct-teacher", when, "--correction-rate", "1e-4", "--correction-tokens", 3 * 4 * 64]
    ran = distill(*words)
    assert ran.code == 0, ran.err
    out = tmp_path / "out"
    note = json.loads((out / "minizoo.json").read_text())
    assert note["teacher"]["name"] == "nano-teacher, corrected"
    assert note["teacher_correction"]["when"] == when
    assert weights(out / "teacher") == weights(TEACHER)
    assert open_folder(out / "teacher").weights_digest() != open_folder(TEACHER).weights_digest()
    assert "was fine-tuned on the same text" in (out / "README.md").read_text()
    assert losses(out)[-1] < losses(out)[0]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_adapters_become_part_of_the_weights(distill, dtype, tmp_path):
    ran = distill("--lora", 4, "--dtype", dtype)
    assert ran.code == 0, ran.err
    student = load_registry().models["nano-width"].weights_folder
    assert weights(tmp_path / "out") == weights(student)
    theirs, ours = (stored_tensors(weight_files(folder).read) for folder in (student, tmp_path / "out"))
    assert theirs.keys() == ours.keys()
    assert "adapters of rank 4" in (tmp_path / "out" / "README.md").read_text()
    assert losses(tmp_path / "out")[-1] < losses(tmp_path / "out")[0]


def test_the_best_checkpoint_by_task_is_the_result_and_its_digest_is_in_the_record(distill, tmp_path, data):
    words = ["--tasks", "nano_words", "--limit", 8, "--eval-every", 3, "--results", tmp_path / "r", "--mirror", data]
    ran = distill(*words, "--json")
    assert ran.code == 0, ran.err
    note = json.loads((tmp_path / "out" / "minizoo.json").read_text())
    values = dict(note["outcome"]["tasks"]["nano_words"])
    best = max(values, key=lambda step: (values[step], -step))
    assert (sorted(values), note["outcome"]["step"]) == ([3, 6], best)
    assert (tmp_path / "out" / "last").is_dir() == (best == 3)
    records = [json.loads(path.read_text()) for path in sorted((tmp_path / "r" / "runs").rglob("record.json"))]
    digests = {record["subject"]["name"]: record["subject"]["weights_digest"] for record in records}
    assert digests[f"out@{best}"] == note["weights_digest"]


def test_documents_of_a_task_are_found_in_the_text_and_left_out(distill, minizoo, text, tmp_path, monkeypatch):
    import harness.accuracy.training.task_texts as task_texts

    held = [json.loads(line)["text"] for line in text.read_text().splitlines()[:2]]
    made = task_texts.TaskTexts("mine", tuple(held)), task_texts.TaskTexts("absent", missing="no data")
    monkeypatch.setattr(task_texts, "texts_of_suites", lambda *_: iter(made))
    kept = distill(overlap="--overlap")
    assert kept.code == 0, kept.err
    assert "data are not at hand: absent" in kept.err
    assert "mine: 2 of 2 documents" in kept.err
    dropped = distill("--drop-overlap", out="dropped", overlap="--overlap")
    assert dropped.code == 0, dropped.err
    notes = [json.loads((tmp_path / name / "minizoo.json").read_text())["data"] for name in ("out", "dropped")]
    assert [note["overlap"]["tasks"] for note in notes] == [{"mine": "2 of 2 documents"}] * 2
    assert notes[0]["digest"] != notes[1]["digest"]
    assert (tmp_path / "dropped" / "overlap.json").is_file()


@pytest.mark.parametrize(
    ("student", "words", "code"),
    [
        ("stories", [], "other-vocabulary"),
        ("nano-teacher", [], "student-unfit"),
        ("nano-width-pruned", ["--length", 513], "invalid-option"),
        ("nano-width-pruned", ["--batch", 100_000], "too-little-data"),
        ("nano-width-pruned", ["--states", "9:1"], "invalid-option"),
        ("nano-width-pruned", ["--lora", 64], "invalid-option"),
        ("nano-width-pruned", ["--parallel", "fsdp"], "world-too-small"),
        ("nano-width-pruned", ["--data", "none.jsonl"], "invalid-training-data"),
        ("nano-width-pruned", ["--tasks", "nano_none"], "unknown-task"),
    ],
)
def test_what_cannot_be_is_refused_by_name(student, words, code, distill, stories, tmp_path):
    ran = distill(*words, "--json", student=stories if student == "stories" else student)
    assert (ran.code in (2, 4), ran.json()["code"]) == (True, code)
    assert not (tmp_path / "out").exists()
