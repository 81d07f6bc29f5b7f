"""`minizoo import`: results of other tools and rows that others contributed, into the same records, marked as such."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from minizoo.options import results_option
from minizoo.output import Column, Output, json_option, note

if TYPE_CHECKING:
    from harness.bundles.take import CheckedBundle
    from harness.imports.importing import Taken
    from harness.records.record import Record
    from reports.speed.trtllm_bench import Bench


@click.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--model", help="The model that was measured, where a file does not name it or not as the registry does.")
@click.option("--gpu", help="The GPU's product name, where a file does not name it: 'NVIDIA A100-SXM4-80GB'.")
@click.option("--dtype", help="The weights' dtype, where a file does not name it.")
@click.option("--batch", type=click.IntRange(1, 65_536), help="The batch, of `vllm bench latency`.")
@click.option("--input", "input_tokens", type=click.IntRange(1, 10_000_000), help="Input tokens of every request.")
@click.option("--output", "output_tokens", type=click.IntRange(1, 10_000_000), help="Output tokens of every request.")
@click.option("--check", is_flag=True, help="Of bundles: validate them, store nothing; exit code 1 for a doubtful row.")
@results_option
@json_option
def import_results(
    files: tuple[Path, ...], model: str | None, gpu: str | None, dtype: str | None, batch: int | None,
    input_tokens: int | None, output_tokens: int | None, check: bool, results: Path, as_json: bool,
) -> int:  # fmt: skip
    """Take in results of vllm bench, trtllm-bench, AIPerf, GenAI-Perf or lm-eval, and bundles of rows that others measured.

    All the FILES, or none where one is bad. Of lm-eval also its samples_….jsonl, with the results file of the same run, or the
    folder of its --output_path. A bundle's row that cannot be believed comes in as invalid, with the reason.
    """
    from harness.bundles.take import checked_bundles, store_bundles
    from harness.bundles.unpack import is_zip
    from minizoo.display.bundles import show_bundles

    bundles = [path for path in files if is_zip(path)]
    others = [path for path in files if path not in bundles]
    told = {"--model": model, "--gpu": gpu, "--dtype": dtype, "--batch": batch}
    told |= {"--input": input_tokens, "--output": output_tokens}
    _check_options(others, told, check)
    output, checked = Output(as_json), checked_bundles(bundles)
    if check:
        return _checked(output, checked)
    taken: list[Taken] = []
    if others:
        from harness.imports.drafts import Given
        from harness.imports.importing import import_files
        from harness.lmeval.estimates import aggregated
        from harness.lmeval.scores import higher_is_better

        asked = Given(model, gpu, dtype, batch, input_tokens, output_tokens, higher_is_better, aggregated)
        taken = import_files(others, results, asked)
    contributed = store_bundles(checked, results) if checked else []
    if as_json:
        from minizoo.display.bundles import bundle_document

        document = {"files": [_as_document(one) for one in taken], **_beside(taken, results)}
        output.document("import", document | {"bundles": [bundle_document(one) for one in contributed]})
        return 0
    _show_imported(output, taken, results)
    _show_beside(output, taken, results)
    if contributed:
        show_bundles(output, contributed, results)
    return 0


def _check_options(others: Sequence[Path], told: Mapping[str, object], check: bool) -> None:
    """Refuse words of other tools' files where there are none, and --check where there are."""
    from zoo.errors import ConflictingOptions, FileMissing

    given = [option for option, value in told.items() if value is not None]
    if check and others:
        first = others[0]
        if not first.exists():
            raise FileMissing(f"{first} cannot be read (No such file or directory).", "Give a bundle of minizoo.")
        raise ConflictingOptions(
            f"--check is for bundles, and {first} is none.",
            "Leave the file out; other tools' files are checked on import.",
        )
    if given and not others:
        raise ConflictingOptions(
            f"{given[0]} is for other tools' files, and all that is given are bundles, whose rows tell it themselves.",
            "Leave the option out.",
        )


def _checked(output: Output, checked: Sequence[CheckedBundle]) -> int:
    from minizoo.display.bundles import bundle_document, show_bundles

    bundles = [one.taken for one in checked]
    if output.as_json:
        output.document("import-check", {"bundles": [bundle_document(one) for one in bundles]})
    else:
        show_bundles(output, bundles, None)
    return 1 if any(one.doubts for one in bundles) else 0


def _show_imported(output: Output, taken: Sequence[Taken], results: Path) -> None:
    for one in taken:
        if one.before:
            given = f"{one.file} with its samples" if one.samples else str(one.file)
            note(f"{given} was imported before, as run {one.run_id}: nothing was added.")
    records = [record for one in taken for record in one.records]
    if records:
        _show(output, records)
        if paths := [path.name for one in taken if not one.before for path in one.samples]:
            output.text(f"Samples, document by document: {', '.join(paths)}.")
        output.text(f"Records: {results}/runs, marked as imported.")


def _benches(taken: Sequence[Taken], results: Path) -> Sequence[Bench]:
    """Reports of trtllm-bench among the files, those imported before too, with minizoo's own runs of the same workload."""
    if not taken:
        return ()
    from harness.store.query import Reader
    from reports.speed.trtllm_bench import benches

    return benches(Reader(results), results, list(dict.fromkeys(one.run_id for one in taken)))


def _beside(taken: Sequence[Taken], results: Path) -> dict[str, object]:
    from minizoo.display.engines.trtllm_bench import bench_documents

    found = _benches(taken, results)
    return {"beside": bench_documents(found)} if found else {}


def _show_beside(output: Output, taken: Sequence[Taken], results: Path) -> None:
    from minizoo.display.engines.trtllm_bench import show_benches

    show_benches(output, _benches(taken, results))


def _show(output: Output, records: list[Record]) -> None:
    columns = [Column("model"), Column("task"), Column("metric", importance=3), Column("statistic", importance=2)]
    columns += [Column("value", True, 3), Column("interval", True), Column("n", True)]
    output.table(columns, [row for record in records for row in _rows(record)], "Imported")
    measured = [record.speed for record in records if record.speed]
    for word, texts in (
        ("Refused", {s.refused for speed in measured for s in speed.statistics if s.refused}),
        ("Left out", {n.text for speed in measured for n in speed.validity.notes if n.code == "figure-absent"}),
        ("Not valid", {reason.text for speed in measured for reason in speed.validity.reasons}),
    ):
        for text in sorted(texts):
            output.text(f"{word}: {text}.")


def _rows(record: Record) -> list[list[str]]:
    from harness.metrics.speed_metrics import load_metrics
    from harness.records.derived import estimate

    head = [record.subject.id, record.task]
    rows = [
        [*head, score.metric, score.filter, _number(made.value), _interval(made.lower, made.upper), f"{score.n:,}"]
        for score, made in ((score, estimate(score)) for score in record.scores)
    ]
    for figure in record.speed.statistics if record.speed else ():
        unit = load_metrics()[figure.metric].unit
        value = "refused" if figure.value is None else f"{figure.value:.4g}"
        interval = _interval(figure.lower, figure.upper)
        rows.append([*head, f"{figure.metric} ({unit})", figure.statistic, value, interval, f"{figure.n:,}"])
    return rows


def _interval(lower: float | None, upper: float | None) -> str:
    return "–" if lower is None or upper is None else f"{lower:.4g} – {upper:.4g}"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _as_document(taken: Taken) -> dict[str, object]:
    from harness.records.derived import described

    return {
        "file": str(taken.file),
        "samples": [str(path) for path in taken.samples],
        "run_id": taken.run_id,
        "imported_before": taken.before,
        "records": [described(record) for record in taken.records],
    }
