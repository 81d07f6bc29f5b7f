import pytest
from support.night_plans import PLAN, compiled, write_plan

from harness.fleet.plan.loading import load_plan
from zoo.errors import FileMissing, InvalidNightPlan, InvalidPolicy


def refusal(folder, text):
    with pytest.raises(InvalidNightPlan) as refused:
        load_plan(write_plan(folder, text))
    return str(refused.value)


def unknown(folder, text):
    with pytest.raises(InvalidNightPlan) as refused:
        compiled(folder, text)
    return str(refused.value)


def test_a_word_stands_for_a_mapping_of_one_key(tmp_path):
    plan = load_plan(write_plan(tmp_path, PLAN + "workloads: [batch1]\nbackends: pruned\n")).plan
    assert (plan.models[0].model, plan.suites[0].suite) == ("nano-teacher", "nano")
    assert (plan.workloads[0].workload, plan.backends[0].backend) == ("batch1", "pruned")


@pytest.mark.parametrize(
    ("written", "minutes"), [("6h", 360), ("90m", 90), ("1d 12h", 2160), ("7.5h", 450), ("1h 30min", 90)]
)
def test_a_deadline_is_written_with_its_units(tmp_path, written, minutes):
    assert load_plan(write_plan(tmp_path, PLAN + f"deadline: {written}\n")).plan.deadline == minutes


@pytest.mark.parametrize("written", ["six hours", "6", "''", "-1h", "0h", "h"])
def test_a_deadline_that_is_no_time_is_refused_with_its_line(tmp_path, written):
    assert "nightly.yaml:5:11: deadline" in refusal(tmp_path, PLAN + f"deadline: {written}\n")


REFUSED = {
    "": "the file is empty",
    "- a list": "a plan is a mapping",
    "schema: [": "not YAML",
    PLAN + "sed: 1\n": "5:1: sed: unknown key. Did you mean 'seed'?",
    PLAN + "name: again\n": "'name' stands twice",
    PLAN.replace("nightly/1", "nightly/2"): "1:9: schema",
    PLAN.replace("suites: [nano]\n", ""): "measures nothing",
    PLAN.replace("[nano-teacher]", "[]"): "3:9: models",
    PLAN.replace("small", "Small Night"): "2:7: name",
    PLAN.replace("[nano-teacher]", "[{name: a}]"): "either `model` or `checkpoints`",
    PLAN.replace("[nano-teacher]", "[{model: a, axis: steps}]"): "go with `checkpoints`",
    PLAN.replace("[nano-teacher]", "[{checkpoints: a/*, baseline: b}]"): "go with `model`",
    PLAN.replace("[nano]", "[{suite: nano, limit: 0}]"): "4:31: suites → 0 → limit",
    PLAN + "retries: 9\n": "5:10: retries",
    PLAN + "budget: {gpu_hours: -1}\n": "gpu_hours",
    PLAN + "backends: [openai]\n": "`endpoint` goes with `backend: openai`",
    PLAN + "canary: {model: nano-teacher, blocks: 0}\n": "blocks",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_a_plan_must_not_say_is_told_with_its_line(tmp_path, text):
    assert REFUSED[text] in refusal(tmp_path, text)


def test_a_plan_that_is_not_there_is_told(tmp_path):
    with pytest.raises(FileMissing):
        load_plan(tmp_path / "none.yaml")


UNKNOWN = {
    PLAN.replace("nano-teacher", "nano-teecher"): ("3:10", "Did you mean 'nano-teacher'?"),
    PLAN.replace("[nano-teacher]", "[./runs/none]"): ("3:10", "is not a folder"),
    PLAN.replace("[nano-teacher]", "[{model: nano-width, parent: nano-teecher}]"): ("3:38", "'nano-teacher'?"),
    PLAN.replace("[nano]", "[nanoo]"): ("4:10", "Did you mean 'nano'?"),
    PLAN.replace("[nano]", "[other.yaml]"): ("4:10", "There is no suite file"),
    PLAN + "backends: [hff]\n": ("5:12", "no backend 'hff'. Did you mean 'hf'?"),
    PLAN + "workloads: [batch2]\n": ("5:13", "Did you mean 'batch1'?"),
    PLAN + "accelerators: [h100-smx]\n": ("5:16", "Did you mean 'h100-sxm'?"),
    PLAN + "policy: nightley\n": ("5:9", "Did you mean 'nightly'?"),
    PLAN + "baselines: none.yaml\n": ("5:12", "there is no file"),
    PLAN + "noise: none.json\n": ("5:8", "there is no file"),
    PLAN + "data: none\n": ("5:7", "there is no folder"),
    PLAN + "canary: {model: nano-teecher}\n": ("5:17", "Did you mean 'nano-teacher'?"),
    PLAN + "canary: {model: nano-teacher, backend: hff}\n": ("5:40", "Did you mean 'hf'?"),
    PLAN.replace("[nano-teacher]", "[{model: nano-teacher, suites: [nanoo]}]"): ("3:41", "Did you mean 'nano'?"),
    PLAN.replace("nano-teacher", "nano-width-pruned"): (
        "3:10",
        "hf cannot run nano-width-pruned: it is a plan without",
    ),
    PLAN.replace("[nano-teacher]", "[{model: nano-depth-pruned, backends: ['score=pruned,generate=vllm']}]"): (
        "3:18",
        "vllm cannot run nano-depth-pruned: it is a plan without",
    ),
    PLAN + "canary: {model: nano-width-pruned}\n": ("5:17", "Have `pruned` run it"),
    PLAN.replace("[nano-teacher]", "[{model: nano-teacher, baseline: nano}]"): (
        "3:42",
        "names no file of `baselines:`",
    ),
}


@pytest.mark.parametrize("text", UNKNOWN)
def test_a_name_that_there_is_not_is_told_with_its_line_and_the_nearest(tmp_path, text):
    told = unknown(tmp_path, text)
    assert all(part in told for part in UNKNOWN[text]), told


def test_pruned_runs_what_no_other_backend_can(tmp_path):
    night = compiled(tmp_path, PLAN.replace("nano-teacher", "nano-width-pruned") + "backends: pruned\n")
    assert [job.backend for job in night.jobs] == ["pruned"]


def test_a_folder_that_is_broken_is_its_jobs_matter(tmp_path):
    (tmp_path / "cut").mkdir()
    (tmp_path / "cut/config.json").write_text("{")
    night = compiled(tmp_path, PLAN.replace("[nano-teacher]", "[{model: ./cut, name: cut}, nano-teacher]"))
    assert [job.backend for job in night.jobs] == ["hf", "hf"]


def test_a_policy_that_is_broken_names_its_own_line(tmp_path):
    (tmp_path / "mine.yaml").write_text("schema: minizoo.policy/1\n")
    with pytest.raises(InvalidPolicy, match=r"mine\.yaml:1"):
        compiled(tmp_path, PLAN + "policy: mine.yaml\n")


def test_the_digest_follows_the_text_and_the_suites_beside_it_and_no_folder_of_a_pattern(tmp_path):
    text = PLAN.replace("[nano]", "[own.yaml]") + ""
    (tmp_path / "own.yaml").write_text("name: own\ntasks: [{task: nano_words}]\n")
    first = load_plan(write_plan(tmp_path, text)).digest
    assert load_plan(write_plan(tmp_path, text)).digest == first
    (tmp_path / "runs").mkdir()
    assert load_plan(write_plan(tmp_path, text)).digest == first
    (tmp_path / "own.yaml").write_text("name: own\ntasks: [{task: nano_cloze}]\n")
    second = load_plan(write_plan(tmp_path, text)).digest
    assert second != first
    assert load_plan(write_plan(tmp_path, text + "# changed\n")).digest != second
