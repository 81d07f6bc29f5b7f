"""What the write-up says, from a record of an experiment, whatever it becomes: a page or Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from harness.findings.finding import AnyFinding, PaperFigure, load_findings, rules_digest
from harness.findings.judge import Judged, Word
from harness.findings.record import ArmRow, FindingsRecord, judged_of
from reports.cells import ABSENT
from reports.charts import findings as picture
from reports.charts.style import Chart
from reports.compare.cells import chance
from reports.models.grid import counted, listed
from reports.tables.findings import HEADINGS, arms_table, findings_table, here, interval, margin, verdict
from reports.tables.table import Heading, Table
from zoo.reproduce.scale import NANO

COMMAND = "minizoo claims --reproduce nano"
WORDS: dict[Word, str] = {
    "same": "came out the same here",
    "different": "came out different",
    "not resolved": "not resolved",
    "too few seeds": "without an interval for want of seeds",
}
NOT_RUN = (
    f"No record of `{COMMAND}` is in this checkout yet. It tests the findings below, by these contrasts and margins."
)

CHANGED = (
    "Margins or rules were changed after these seeds were begun: their digest is another one than the record's. The verdicts "
    "are by today's."
)


@dataclass(frozen=True)
class Section:
    """One finding: what is held against what, what came out, the picture, and what this size cannot show."""

    id: str
    sentence: str
    facts: tuple[tuple[str, str], ...]
    chart: Chart | None
    limits: str


@dataclass(frozen=True)
class Account:
    """The write-up. Texts are plain; backquotes mark code."""

    lede: str
    table: Table
    how: tuple[str, ...]
    sections: tuple[Section, ...]
    arms: Table | None


def account_of(record: FindingsRecord | None, *, alone: bool = False) -> Account:
    """The write-up of a record; without one of what will be tested. `alone`: pictures for files of their own."""
    if record is None:
        sections = tuple(
            Section(each.id, each.sentence, _asked(each), None, each.small_scale) for each in load_findings()
        )
        rows = tuple(
            (each.sentence, f"{each.paper.says} ({_source(each.paper)})", ABSENT, ABSENT, "not run yet", "0")
            for each in load_findings()
        )
        return Account(NOT_RUN, Table("", HEADINGS, rows), _design(), sections, None)
    judged = judged_of(record)
    return Account(
        lede(judged, record),
        findings_table(judged),
        (*_design(record), *_cost(record)),
        tuple(_section(each, alone) for each in judged),
        arms_table(record),
    )


def lede(judged: Sequence[Judged], record: FindingsRecord) -> str:
    """How many findings have which verdict."""
    found = Counter(each.word for each in judged)
    told = listed([f"{found[word]} {what}" for word, what in WORDS.items() if found[word]])
    return f"Of {counted(len(judged), 'finding')} of the papers {told}, over {counted(len(record.seeds), 'seed')}."


def _section(judged: Judged, alone: bool) -> Section:
    finding = judged.finding
    facts = [
        ("Paper", finding.paper.says),
        ("Source", _source(finding.paper)),
        ("Here", here(judged)),
        ("95 % interval", interval(judged)),
        ("Counts from", margin(finding)),
        ("Verdict", verdict(judged)),
        ("Seeds", f"{judged.seeds}"),
        ("p of no difference", chance(judged.p_value)),
        ("Spread between seeds", _spread(judged)),
        ("Left out", "; ".join(judged.notes)),
    ]
    shown = tuple((name, words) for name, words in facts if words and words != ABSENT)
    return Section(finding.id, finding.sentence, shown, picture.draw(judged, alone=alone), finding.small_scale)


def _asked(finding: AnyFinding) -> tuple[tuple[str, str], ...]:
    """What is known of a finding before it is run."""
    return ("Paper", finding.paper.says), ("Source", _source(finding.paper)), ("Counts from", margin(finding))


def _spread(judged: Judged) -> str:
    """The standard deviation between seeds, and how much of it the held-out documents alone explain."""
    if judged.seeds_sd is None:
        return ""
    documents = (
        "" if judged.documents_sd is None else f", of which the choice of documents explains {judged.documents_sd:.2g}"
    )
    of = "" if judged.documents_sd is not None else " of the logarithm"
    return f"{judged.seeds_sd:.2g}{of}{documents}"


def _source(paper: PaperFigure) -> str:
    return f"{paper.source}, {paper.place}"


def _design(record: FindingsRecord | None = None) -> tuple[str, ...]:
    """How it is run, in paragraphs."""
    scale = record.scale if record is not None else vars(NANO)
    teacher = _arm(record, "teacher")
    size = f", {teacher.parameters:,} parameters" if teacher else ""
    return (
        f"Each seed draws a teacher (a Llama of {scale['layers']} layers and {scale['hidden']} channels{size}), the text "
        f"that it is trained on ({scale['teacher_tokens']:,} tokens of the nano family's generated text, by the recipe of "
        "nano-teacher), the calibration text, the students' text and its order, the weights of a child from scratch, and the "
        "documents that all are measured on. Within a seed all arms share them: the same teacher, the same rows in the same "
        f"order, and equal tokens ({scale['tokens']:,}, where an arm's name says no multiple). So a seed gives one paired "
        "difference a finding.",
        f"Children by width keep {scale['child_hidden']} channels and {scale['child_ffn']} neurons a layer, children by depth "
        f"{scale['child_layers']} layers, equal in parameters to a percent. They are cut by `zoo/prune` and trained by "
        "`zoo/distill` with AdamW, as `minizoo prune` and `minizoo distill` do. Cut and drawn weights have peak rates of "
        "their own, the best of three each on two pilot seeds, which no finding counts. By these the number of tokens was "
        "chosen too: with four times as many the arms that begin with a cut came within 0.01 nat of each other. A curve over "
        "tokens is made of whole runs, each with a schedule of its own.",
        f"A model is measured by its cross-entropy in nats a token over {scale['held_out']} held-out documents, whose items "
        "no training text has (the split of the nano suite). The mean difference over seeds has Student's 95 % interval. "
        "Margins and rules were committed before the seeds were run (`harness/findings/findings.yaml` and `judge.py`). A row "
        "that is not resolved says by how many seeds a test would tell with a chance of 80 %, if mean and spread are as seen "
        "(noncentral t).",
    )


def _cost(record: FindingsRecord) -> tuple[str, ...]:
    versions = ", ".join(f"{name} {version}" for name, version in record.versions.items())
    changed = () if record.rules == rules_digest() else (CHANGED,)
    return (
        *changed,
        f"It took {record.cpu_seconds / 60:,.0f} CPU minutes for {counted(len(record.seeds), 'seed')}, one thread each, on "
        f"{record.processor or 'an unknown processor'} ({versions}); finished {record.finished_at[:10]}.",
        "What this size cannot show: models of under a million parameters on generated text say nothing of tasks, of "
        "languages, of what only 32 layers or outlying channels bring, or of retraining by billions of tokens. A verdict here "
        "is about the method at this size. Where it differs from the papers, neither is thereby wrong.",
    )


def _arm(record: FindingsRecord | None, name: str) -> ArmRow | None:
    return next((arm for arm in record.arms if arm.name == name), None) if record is not None else None


def facts_table(section: Section) -> Table:
    """A finding's facts as a table of two columns."""
    return Table("", (Heading(""), Heading("")), section.facts)
