"""Small tasks of every kind, as a package of lm-eval YAML, and runs of them by lm-eval's own evaluator with our model."""

import sys

DATA = """
import datasets

def _rows(start, stop):
    return [{"q": f"Question: {i} and 1?\\\\nAnswer:", "choices": [" " + str(i), " " + str(i + 1)], "gold": i % 2,
             "passage": f"p{i // 3}", "tale": f"One day there was a cat number {i}. It was happy."} for i in range(start, stop)]

def _sets(test):
    return {"test": datasets.Dataset.from_list(test), "train": datasets.Dataset.from_list(_rows(60, 66))}

def small(**_):
    return _sets([*_rows(0, 9), *_rows(2, 5)])  # three documents stand there twice

def large(**_):
    return _sets(_rows(20, 40))
"""
CHOICE = """
task: {name}
custom_dataset: !function data.{data}
output_type: multiple_choice
test_split: test
fewshot_split: train
num_fewshot: {shots}
doc_to_text: "{{{{q}}}}"
doc_to_choice: "{{{{choices}}}}"
doc_to_target: gold
metric_list: [{{metric: acc}}, {{metric: acc_norm, aggregation: mean, higher_is_better: true}}]
metadata: {{version: 1.0}}
"""
TOLD = """
task: told
custom_dataset: !function data.small
output_type: generate_until
test_split: test
fewshot_split: train
num_fewshot: 1
doc_to_text: "{{q}}"
doc_to_target: "{{choices[gold]}}"
generation_kwargs: {until: ["Question"], max_gen_toks: 8}
metric_list: [{metric: exact_match, aggregation: mean, higher_is_better: true}]
filter_list:
  - {name: first-word, filter: [{function: regex, regex_pattern: "([0-9]+)"}, {function: take_first}]}
  - {name: whole, filter: [{function: take_first}]}
metadata: {version: 1.0}
"""
TALES = """
task: tales
custom_dataset: !function data.large
output_type: loglikelihood_rolling
test_split: test
doc_to_text: ""
doc_to_target: tale
metric_list: [{metric: word_perplexity}, {metric: bits_per_byte}]
metadata: {version: 1.0}
"""
GROUP = """
group: both
task: [boolq, adding]
aggregate_metric_list: [{metric: acc, weight_by_size: true}]
metadata: {version: 1.0}
"""
SUITE = """
name: mine
folders: [{package}/tasks]
tasks: [{{task: both}}, {{task: told}}, {{task: tales}}]
"""
NAMES = ["both", "told", "tales"]
LEAVES = ["boolq", "adding", "told", "tales"]


def write_tasks(folder, package):
    """The package in the folder, which is put on the path, and the YAML file of a suite of its tasks."""
    tasks = folder / package / "tasks"
    tasks.mkdir(parents=True)
    (folder / package / "__init__.py").touch()
    (tasks / "data.py").write_text(DATA)
    (tasks / "both.yaml").write_text(GROUP)
    (tasks / "boolq.yaml").write_text(CHOICE.format(name="boolq", data="small", shots=2))
    (tasks / "adding.yaml").write_text(CHOICE.format(name="adding", data="large", shots=0))
    (tasks / "told.yaml").write_text(TOLD)
    (tasks / "tales.yaml").write_text(TALES)
    suite = folder / "mine.yaml"
    suite.write_text(SUITE.format(package=package))
    sys.path.insert(0, str(folder))
    return suite


def run_lm_eval(lm, suite, out=None, tasks=NAMES, **options):
    """What the evaluator was given and returned; with `out` its files are there as well."""
    from lm_eval import evaluator
    from lm_eval.loggers import EvaluationTracker
    from lm_eval.tasks import TaskManager

    from harness.lmeval.drop_in.evaluated import held

    (folder,) = suite.parent.glob("*/tasks")
    tracker = EvaluationTracker(output_path=str(out)) if out else None
    manager = TaskManager(include_path=str(folder), include_defaults=False)
    with held(lambda _: None) as done:
        results = evaluator.simple_evaluate(
            lm, model_args={"pretrained": "stories260k"}, tasks=tasks, task_manager=manager, evaluation_tracker=tracker,
            bootstrap_iters=0, **options,
        )  # fmt: skip
    if tracker:
        samples = results.pop("samples")
        tracker.save_results_aggregated(results, samples)
        for name in results["configs"]:
            tracker.save_results_samples(name, samples[name])
    (one,) = done
    return one
