"""minizoo's model in a script that calls lm-eval: python examples/lm_eval_drop_in.py [FOLDER [TASK]]."""

import sys
from importlib.resources import files

import lm_eval
from lm_eval.tasks import TaskManager
from lm_eval.utils import make_table

from harness.lmeval.model import MinizooLM
from zoo.errors import MinizooError


def main(folder: str = "nano-teacher", task: str = "nano_words") -> None:
    results = lm_eval.simple_evaluate(
        model=MinizooLM(pretrained=folder, dtype="float32"),  # was: model="hf", model_args={"pretrained": folder, …}
        tasks=[task],
        task_manager=TaskManager(include_path=str(files("harness") / "tasks/nano"), include_defaults=False),
        limit=20,
        bootstrap_iters=0,
    )
    print(make_table(results))


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except MinizooError as error:
        sys.exit(f"{error.code}: {error}")
