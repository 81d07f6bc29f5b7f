"""What an evaluation will run, worked out before anything runs: documents, requests, tokens, and what does not fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from backends.contract import ScoreRequest
from backends.packing.score import tree_of
from harness.accuracy.fewshot_draws import Draw, draw_name, make_draws
from harness.lmeval.encoding import Encoder, Unit, overflowing
from harness.lmeval.loading.tasks import LoadedSuite, LoadedTask
from harness.lmeval.prompts import Chat, Document, build_documents, digest_of
from zoo.errors import InvalidTask, MinizooError, PromptTooLong, one_line


@dataclass(frozen=True)
class TaskPlan:
    """One leaf task, its chosen documents and every unit of work they need."""

    loaded: LoadedTask
    documents: list[Document]
    documents_total: int
    units: list[Unit]
    """Every draw's."""
    draws: list[Draw] = field(default_factory=list[Draw])
    """Draws of few-shot examples beyond lm-eval's own."""

    @property
    def name(self) -> str:
        """The task's name."""
        return self.loaded.name

    @property
    def requests(self) -> int:
        """lm-eval's requests, with repeats, of every draw."""
        return sum(i.repeats or 1 for documents in self.sets.values() for d in documents for i in d.instances)

    @property
    def sets(self) -> dict[str, list[Document]]:
        """Task of a unit's key → its documents: the task's own, then those of each further few-shot draw."""
        return {self.name: self.documents, **{draw_name(self.name, d.seed): d.documents for d in self.draws}}

    @property
    def tokens(self) -> int:
        """Tokens through the model, at most: generations are counted at their limit."""
        return sum(unit.tokens for unit in self.units)

    @property
    def truncated(self) -> int:
        """Requests that do not fit whole."""
        return len(overflowing(self.units))

    def digest(self) -> str:
        """A digest of the task's text and of every request made from its data."""
        return digest_of(self.loaded.task, (d for documents in self.sets.values() for d in documents))


def make_plan(
    suite: LoadedSuite,
    encoder: Encoder,
    fewshot_seeds: int = 1,
    chat: Chat | None = None,
    unsuited: dict[str, MinizooError] | None = None,
) -> list[TaskPlan]:
    """Build every request of the suite, through a chat template where one is given, and encode it.

    With several `fewshot_seeds` every task whose examples are drawn is run once a seed. Raises InvalidTask where a task's data
    does not suit it, or with `unsuited` names the task there and leaves it out; and what encoding raises.
    """
    plans: list[TaskPlan] = []
    for loaded in suite.tasks.values():
        try:
            documents, total = task_documents(loaded, chat)
        except InvalidTask as error:
            if unsuited is None:
                raise
            unsuited[loaded.name] = error
            continue
        draws = list(make_draws(loaded, documents, encoder, fewshot_seeds, chat))
        units = [*encoder.units(loaded, documents), *(unit for draw in draws for unit in draw.units)]
        plans.append(TaskPlan(loaded, documents, total, units, draws))
    return plans


def units_of(plans: Sequence[TaskPlan]) -> list[Unit]:
    """Every unit of every task."""
    return [unit for plan in plans for unit in plan.units]


def check_overflow(plans: Sequence[TaskPlan]) -> None:
    """Raise PromptTooLong when a task whose rule is `refuse` has requests that do not fit whole."""
    bad = [plan for plan in plans if plan.truncated and plan.loaded.overflow == "refuse"]
    if bad:
        told = "; ".join(
            f"{plan.name}: {plan.truncated} of {len(plan.units)}, the longest by {max(u.cut for u in plan.units)} tokens"
            for plan in bad
        )
        raise PromptTooLong(
            f"Some prompts do not fit into the model's context ({told}). Nothing was run.",
            "Use --overflow truncate to cut them on the left as lm-eval does (counted and recorded), or fewer --shots.",
        )


def task_documents(loaded: LoadedTask, chat: Chat | None = None) -> tuple[list[Document], int]:
    """The task's chosen documents with their requests, and how many it has in all; InvalidTask where data does not suit."""
    try:
        return build_documents(loaded, chat=chat)
    except (AssertionError, KeyError, IndexError, TypeError, ValueError) as error:
        raise InvalidTask(
            f"Task {loaded.name}: lm-eval cannot build its prompts from the data ({type(error).__name__}: "
            f"{one_line(error)[:200]}).",
            "Check that the data has the columns that the task's YAML names, and enough few-shot examples.",
        ) from None


def sharing(plans: Sequence[TaskPlan]) -> tuple[int, int]:
    """Tokens that the scores of all tasks ask for, and those left to compute when shared prefixes are computed once."""
    requests = [unit.request for plan in plans for unit in plan.units if isinstance(unit.request, ScoreRequest)]
    tree = tree_of(requests)
    return tree.asked_tokens, len(tree)
