"""The model card of a distilled folder: what it was made from, on what text, by which loss and steps, and what is unknown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from zoo.distill.result.note import Distilled, Text, Way
from zoo.registry.loader import load_registry


def model_card(made: Distilled) -> str:
    """The README.md of a distilled folder, with the hub's front matter."""
    entry = load_registry().find(made.student.name) or load_registry().find(made.parent)
    licence = entry.licence.id if entry and entry.licence else None
    base = load_registry().find(made.parent)
    came = made.came
    lines = [
        "---",
        f"base_model: {_quoted(base.hub.id if base and base.hub else made.parent)}",
        "base_model_relation: finetune",
        *([f"license: {_quoted(licence)}"] if licence else []),
        "library_name: transformers",
        "tags: [distilled, minizoo]",
        "---",
        "",
        f"# {_quoted(made.student.name)}, distilled from {_quoted(made.teacher.name)}",
        "",
        f"{made.parameters:,} parameters, trained for {came.steps:,} steps; these are the weights after step {came.step:,}"
        + (f", the best by {_quoted(came.best_by)}." if came.best_by else ", the last."),
        "",
        f"- Student: {_quoted(made.student.name)} (sha256 {made.student.digest[:16]}…)",
        f"- Teacher: {_quoted(made.teacher.name)} (sha256 {made.teacher.digest[:16]}…), {_quoted(made.way.teacher_form)}",
        *_correction(made.way),
        *_text(made.text),
        f"- Loss: {_loss(made.way)}; {came.first_loss:.4f} nats a token at the first step, {came.loss:.4f} at the last",
        *_steps(made.way),
        f"- Trained in {came.seconds / 3600:.2f} h by {came.processes} process{'es' if came.processes > 1 else ''} on "
        f"{_quoted(came.device)}",
        f"- Licence: {_quoted(licence) if licence else 'that of the student, which minizoo does not know'}, inherited; the "
        "teacher's and the text's terms hold too.",
        "",
        "![Loss by step](losses.svg)",
        "",
        *_tasks(made),
        "metrics.jsonl has every step, minizoo.json every setting.",
    ]
    return "\n".join(lines) + "\n"


def _correction(way: Way) -> Iterator[str]:
    if way.correction is not None:
        when = {"before": "before the distillation", "beside": "step by step beside the distillation"}
        yield (
            f"- The teacher was fine-tuned on the same text {when[way.correction.when]}: {way.correction.tokens:,} tokens, "
            f"peak rate {way.correction.rate:g} ({_quoted(way.correction.told)})"
        )


def _text(text: Text) -> Iterator[str]:
    yield f"- Text: {', '.join(map(_quoted, text.sources))} (rows' sha256 {text.digest[:16]}…), seen {text.epochs:.2f} times"
    if text.overlap is None:
        yield "- Overlap of the text with benchmarks: nobody looked"
        return
    found, compared = text.overlap["tasks"], text.overlap["tasks_compared"]
    listed = "; ".join(f"{_quoted(task)} {_quoted(words)}" for task, words in sorted(found.items())) or "none"
    done = ", left out of it" if text.overlap["dropped"] and found else ""
    yield f"- Documents of {compared} tasks in the text (runs of {text.overlap['words']} words): {listed}{done}"


def _loss(way: Way) -> str:
    loss = way.loss
    parts = [
        "forward KL from the teacher" if loss.divergence == "forward_kl" else "reverse KL",
        f"temperature {loss.temperature:g}",
        *([f"{loss.clm:g} × cross-entropy of the text"] if loss.clm else []),
        *(f"states of layers {teacher}:{student}" for teacher, student in loss.states),
        *(["embeddings"] if loss.embedding else []),
    ]
    return ", ".join(parts)


def _steps(way: Way) -> Iterator[str]:
    train = way.train
    yield (
        f"- Steps: {train.steps:,} of {train.batch:,} rows of {train.length:,} tokens ({way.tokens:,} tokens asked), "
        f"{train.optimizer}, peak rate {train.rate:g}, least {train.least_rate:g}, {train.warm_up} warm-up steps, "
        f"{train.schedule}, weight decay {train.weight_decay:g}, clipped at {train.clip:g}, computed in {train.dtype}, "
        f"seed {train.seed}"
    )
    if way.recipe:
        yield f"- Recipe: {_quoted(way.recipe)}"
        yield from (f"  - {_quoted(line)}" for line in (*way.stated, *way.assumed))
    if way.lora:
        yield f"- Trained by adapters of rank {way.lora}, added to the weights: a departure from the papers, which train all"


def _tasks(made: Distilled) -> Iterator[str]:
    if not made.came.tasks:
        yield from ("No task was measured on the way: the distillation's loss does not predict tasks.", "")
        return
    steps = sorted({step for points in made.came.tasks.values() for step, _ in points})
    yield _row("task", [f"step {step}" for step in steps])
    yield _row("---", ["---:"] * len(steps))
    for name, points in sorted(made.came.tasks.items()):
        values = dict(points)
        yield _row(_quoted(name), [f"{values[step]:.4f}" if step in values else "" for step in steps])
    yield ""


def _row(first: str, others: Sequence[str]) -> str:
    return f"| {' | '.join((first, *others))} |"


def _quoted(text: str) -> str:
    """A name without line breaks, markup and table bars: names may be hostile."""
    return "".join(c if c.isalnum() or c in " /._-,:;()+%=×τ" else "·" for c in text)[:200]
