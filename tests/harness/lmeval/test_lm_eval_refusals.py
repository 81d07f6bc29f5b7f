"""`minizoo lm-eval` on bad input: one paragraph, soon, and never a traceback; another version of lm-eval is told or refused."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from lm_eval.tasks._index import TaskIndex
from support.paths import ROOT

from harness.lmeval.drop_in import versions
from harness.lmeval.loading.index import PINNED

RAISING = """
task: raising
custom_dataset: !function own.docs
output_type: multiple_choice
test_split: test
doc_to_text: "{{q}}"
doc_to_choice: ["one", "two"]
doc_to_target: 0
process_results: !function own.judge
"""
CODE = """
from datasets import Dataset

def docs(**_):
    return {"test": Dataset.from_list([{"q": "What?"}] * 3)}

def judge(doc, results):
    raise ZeroDivisionError("so it is")
"""
FILES = {
    "broken.yaml": "tasks: [a\n",
    "list.yaml": "- a\n",
    "remote.yaml": "model: dummy\ntasks: [hellaswag]\ntrust_remote_code: true\n",
    "unknown.yaml": "model: dummy\ntasks: [hellaswagg]\n",
    "own/raising.yaml": RAISING,
    "own/own.py": CODE,
    "own/bad.yaml": "task: bad\n  x: [\n",
}
DUMMY = "run --model dummy --limit 2"
REFUSED = {
    "a word that is no command": ("runn", 2, "invalid choice: 'runn'"),
    "an option that there is not": ("run --taskz x", 2, "unrecognized arguments: --taskz x. Did you mean --tasks?"),
    "an option's value": ("run --limit x --tasks piqa", 2, "argument --limit/-L: invalid float value: 'x'."),
    "a choice": ("ls tasq", 2, "`minizoo lm-eval ls --help` lists the options."),
    "options that are not given as pairs": (f"{DUMMY} --tasks piqa --metadata x", 2, "expected `key=value`, got 'x'"),
    "no task": (f"{DUMMY}", 2, "No task is named"),
    "an unknown task": (f"{DUMMY} --tasks hellaswagg", 2, "no task named 'hellaswagg'. Did you mean 'hellaswag'?"),
    "an unknown task among known ones": ("--model dummy -t piqa,hellaswagg", 2, "Did you mean 'hellaswag'?"),
    "an unknown task to validate": ("validate --tasks hellaswagg", 2, "Did you mean 'hellaswag'?"),
    "a pattern that no task fits": (f"{DUMMY} --tasks zz*zz", 2, "no task named 'zz*zz'"),
    "an unknown task of a configuration file": ("run --config {folder}/unknown.yaml", 2, "Did you mean 'hellaswag'?"),
    "an unknown task beside own ones": (f"{DUMMY} --tasks bad --include_path {{folder}}/own", 2, "no task named 'bad'"),
    "a task file that is no YAML": (f"{DUMMY} --tasks {{folder}}/own/bad.yaml", 2, "mapping values are not allowed"),
    "an unknown model": ("run --model minzoo --tasks piqa", 2, "no model named 'minzoo'. Did you mean 'minizoo'?"),
    "no configuration file": ("run --config {folder}/gone.yaml", 2, "Config file not found: {folder}/gone.yaml"),
    "a broken configuration file": ("run --config {folder}/broken.yaml", 2, "Invalid YAML in {folder}/broken.yaml"),
    "a configuration file of another form": ("run --config {folder}/list.yaml", 2, "YAML root must be a mapping"),
    "no folder of own tasks": (f"{DUMMY} --tasks piqa --include_path {{folder}}/gone", 2, "{folder}/gone is no folder"),
    "samples without a place": (f"{DUMMY} --tasks piqa --log_samples", 2, "Specify --output_path"),
    "samples that are no JSON": (f"{DUMMY} --tasks piqa --samples {{{{x", 2, "argument --samples/-E"),
    "a logger that is not installed": (f"{DUMMY} --tasks piqa --trackio_args project=x", 4, "`pip install trackio`"),
    "generated code": (f"{DUMMY} --tasks humaneval --confirm_run_unsafe_code", 2, "`minizoo eval MODEL --tasks humaneval`"),
    "a task that runs generated code": (f"{DUMMY} --tasks humaneval", 2, "Task humaneval of lm-eval runs what the model"),
    "a checkpoint's code": (f"{DUMMY} --tasks piqa --trust_remote_code", 2, "minizoo never does"),
    "a checkpoint's code, among others": ("run -M hf -t piqa -a pretrained=x trust_remote_code=True", 2, "minizoo never"),
    "a checkpoint's code, in a file": ("run --config {folder}/remote.yaml", 2, "minizoo never does"),
    "no mirror": (f"{DUMMY} --tasks piqa --data {{folder}}/gone", 2, "Invalid value for '--data'"),
    "a task whose code raises": (
        f"{DUMMY} --tasks raising --include_path {{folder}}/own", 4,
        "lm-eval stopped: ZeroDivisionError in {folder}/own/own:8 (so it is).",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("refusals")
    for name, text in FILES.items():
        (made / name).parent.mkdir(exist_ok=True)
        (made / name).write_text(text)
    return made


@pytest.mark.parametrize("what", REFUSED)
def test_one_paragraph_says_what_is_wrong(minizoo, folder, what):
    line, code, words = REFUSED[what]
    ran = minizoo("lm-eval", *line.format(folder=folder).split())
    assert ran.code == code, ran.err
    last = ran.err.splitlines()[-1]
    assert last.startswith("minizoo: ")
    assert words.format(folder=folder) in last
    assert "Traceback" not in ran.err


def test_a_fault_outside_of_minizoo_names_the_log_and_debug_shows_its_traceback(minizoo, folder, capsys):
    words = ["lm-eval", *f"{DUMMY} --tasks raising --include_path".split(), folder / "own"]
    last = minizoo(*words).err.splitlines()[-1]
    log = re.search(r"its log is (\S+\.log)\.$", last)
    assert log
    assert "not in minizoo" in last
    assert "ZeroDivisionError: so it is" in Path(log[1]).read_text("utf-8")
    assert 'raise ZeroDivisionError("so it is")' in minizoo("--debug", *words).err


def test_files_of_own_tasks_that_cannot_be_read_are_told(minizoo, folder):
    ran = minizoo("lm-eval", *f"{DUMMY} --tasks bad --include_path".split(), folder / "own")
    assert f"lm-eval leaves out {folder}/own/bad.yaml, which cannot be read" in ran.err


def test_help_is_lm_evals_own_with_our_lines_above_it_at_the_top(minizoo):
    top = minizoo("lm-eval", "--help")
    assert top.code == 0
    assert 0 < top.out.index("--data DIR") < top.out.index("usage: lm-eval [-h] COMMAND")
    assert minizoo("lm-eval").out == top.out
    run = minizoo("lm-eval", "run", "--help")
    assert (run.code, run.out.splitlines()[0].partition(" --")[0]) == (0, "usage: lm-eval run")


def test_an_unknown_task_is_answered_before_lm_eval_or_an_engine_is_imported(tmp_path):
    script = (
        "import sys; from minizoo.cli import run; code = run(sys.argv[1:])\n"
        "heavy = {'torch', 'transformers', 'datasets', 'lm_eval.tasks', 'lm_eval.evaluator'} & set(sys.modules)\n"
        "sys.exit(f'{code} {sorted(heavy)}')"
    )
    for words in (
        "lm-eval run --model minizoo --tasks hellaswagg",
        "eval llama-3.1-8b --tasks hellaswagg --dry-run",
        "eval llama-3.1-8b --tasks hellaswagg",
    ):
        ran = subprocess.run(
            [sys.executable, "-c", script, *words.split()], capture_output=True, text=True, cwd=ROOT, check=False,
            env={**os.environ, "XDG_CACHE_HOME": str(tmp_path)},
        )  # fmt: skip
        told, heavy = ran.stderr.splitlines()[-2:]
        assert "Did you mean 'hellaswag'?" in told
        assert heavy == "2 []"


def test_the_pinned_version_is_the_packages():
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    assert f"lm-eval=={PINNED}" in needed
    assert versions.untested() is None
    versions.check(versions.COMMAND_LINE)
    versions.check(versions.RUN)


def test_another_version_works_and_is_told_once(minizoo, folder, monkeypatch):
    monkeypatch.setattr(versions, "version", lambda _: "0.5.0")
    monkeypatch.setattr(TaskIndex, "build", staticmethod(lambda paths: {}))  # its scan of all tasks takes seconds
    (folder / "own" / "own.py").write_text(CODE.replace('raise ZeroDivisionError("so it is")', 'return {"acc": 1}'))
    ran = minizoo("lm-eval", *f"{DUMMY} --tasks {folder}/own/raising.yaml".split())
    assert ran.code == 0, ran.err
    assert ran.err.count("untested") == 1
    assert f"lm-eval 0.5.0 is installed; minizoo is tested with {PINNED}" in ran.err


def test_an_interface_that_is_gone_is_refused_by_name_before_anything_runs(minizoo, monkeypatch):
    monkeypatch.setitem(versions.RUN, "lm_eval.evaluator.evaluate_all", "record what a run measured")
    ran = minizoo("lm-eval", *f"{DUMMY} --tasks piqa".split())
    assert ran.code == 4
    assert "has no `lm_eval.evaluator.evaluate_all`, which minizoo uses to record what a run measured." in ran.err
    assert f"`pip install lm-eval=={PINNED}`" in ran.err
    assert "Selected Tasks" not in ran.err
