"""A small registry in which every case of a published score has one example, and results folders that tests fill."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.records.files import write_record
from harness.records.record import Subject
from harness.store.query import Reader
from reports.board.build import build_board
from reports.board.model import Board, BoardRow, ColumnKey, Figure
from support.compared import made
from zoo.registry.loader import Registry

DIMENSIONS = """
    architecture: {type: dense, num_layers: 2, hidden_size: 64, ffn_hidden_size: 128, num_attention_heads: 4,
                   num_kv_heads: 2, head_dim: 16, vocab_size: 256, tied_embeddings: true, activation: swiglu,
                   norm: rmsnorm, rope: {theta: 1.0e4}}
    architecture_source: card
""".strip()
REGISTRY = """
schema: minizoo.registry/1
sources:
  paper: {kind: paper, title: A paper}
  card: {kind: model_card, title: A card}
  copy: {kind: news, title: A copy, copy_of: card}
benchmarks:
  winogrande: {items: 1267, chance: 50.0, source: paper}
  gsm8k: {items: 1319, chance: 0.0, source: paper}
  mbpp: {items: 500, chance: 0.0, source: paper}
  truthfulqa_mc2: {items: 817, real_valued: true, source: paper}
  xlsum_en: {chance: 0.0, real_valued: true, source: paper}
protocols:
  tables:
    source: paper
    measures:
      winogrande: {metric: acc, shots: 5}
      gsm8k: {metric: acc, shots: 5}
      mbpp: {metric: pass@1, shots: 0}
      truthfulqa_mc2: {metric: mc2, shots: 0}
      xlsum_en: {metric: rougeL, shots: 3, subset: 20 % of the English set,
                 contradicted_by: {shots: 0, source: paper, quote: 0-shot}}
  cards:
    source: card
    measures: {winogrande: {shots: 0}, gsm8k: {shots: 0}, mbpp: {}, openbookqa: {}}
  same: {source: card, measures: {winogrande: {shots: 5}}}
  normalised: {source: card, measures: {gpqa: {metric: acc_norm, shots: 0, scale: chance_normalised}}}
models:
  parent:
    display: Parent
    group: parent
    kind: base
    licence: {id: apache-2.0, commercial: true, quote: yes, source: card}
    tokens: {pretraining: 15000000000000, source: card}
    DIMENSIONS
    published:
      - {source: paper, protocol: tables, values: {winogrande: 80.0, gsm8k: 60.0, mbpp: 43.8, truthfulqa_mc2: 45.0}}
  child:
    DIMENSIONS
    display: Child
    group: minitron
    kind: base
    licence: {id: research-only, commercial: false, source: card}
    tokens: {distillation: 94000000000, source: card}
    lineage:
      parent: parent
      relation: [pruned, distilled]
      selection: {method: by score, tasks: [winogrande], source: paper}
      source: paper
    published:
      - {source: paper, protocol: tables,
         values: {winogrande: 75.0, gsm8k: 30.0, mbpp: 43.77, truthfulqa_mc2: 40.0, xlsum_en: 30.0}}
      - {source: card, protocol: cards, values: {winogrande: 75.0, gsm8k: 31.0, mbpp: 30.0, openbookqa: 40.0}}
      - {source: card, protocol: same, values: {winogrande: 74.12}}
      - {source: copy, protocol: same, values: {winogrande: 74.123}}
      - {source: card, protocol: normalised, values: {gpqa: 5.03}}
    speeds:
      - {against: parent, ratio: 1.8, metric: throughput, engine: TensorRT-LLM, gpu: H100 80 GB, dtype: float8, batch: 64,
         against_batch: 32, source: paper}
      - {against: parent, ratio: 1.5, metric: throughput, engine: TensorRT-LLM, gpu: H100 80 GB, dtype: float8, batch: 8,
         against_batch: 8, source: paper}
  tuned:
    DIMENSIONS
    display: Tuned
    group: minitron
    kind: instruct
    licence: {id: research-only, source: card}
    published:
      - {source: card, protocol: cards, values: {gsm8k: 50.0}}
  silent:
    DIMENSIONS
    display: Silent
    group: hybrid
    kind: reasoning
    licence: {id: unread, source: card}
""".replace("DIMENSIONS", DIMENSIONS)

WINOGRANDE = ColumnKey("winogrande", "acc", "none", 5)


class Results:
    """A results folder: `keep` adds a record, `board` reads them all."""

    def __init__(self, path: Path, registry: Registry) -> None:
        self.path, self.registry = path, registry
        (path / "runs").mkdir(parents=True)

    def keep(self, model: str, values: list[float], task: str = "winogrande", **changes: Any):
        """A record of that model with a value a document; every document of the task unless `score` says otherwise."""
        found, rows = made(model, values, task, **{"subject": named(model), **changes})
        write_record(self.path, found, rows)
        return found

    def board(self) -> Board:
        return build_board(Reader(self.path), self.registry)


def named(model: str, **changes: Any) -> Subject:
    """A model of the registry by its id."""
    given: dict[str, Any] = {
        "id": model, "source": f"org/{model}", "revision": None, "weights_digest": f"digest-of-{model}",
        "tokenizer_digest": "t", "entry": {"id": model}, "kind": "registry",
    }  # fmt: skip
    return Subject(**{**given, **changes})


def rows_of(board: Board, model: str) -> list[BoardRow]:
    return [row for row in board.rows if row.facts.id == model]


def cell(board: Board, model: str, key: ColumnKey = WINOGRANDE) -> tuple[Figure, ...]:
    """The cell of the model's first row that has one."""
    return next(row.figures[key] for row in rows_of(board, model) if key in row.figures)
