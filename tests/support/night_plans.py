"""Plans of nights as a test wants them, and checkpoints of a run that are whole, half written or of a given number."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

from harness.fleet.plan.compile import compile_night
from harness.fleet.plan.loading import load_plan
from zoo.registry.loader import load_registry

NOW = datetime(2026, 11, 30, 22, 0, tzinfo=UTC)
PLAN = """\
schema: minizoo.nightly/1
name: small
models: [nano-teacher]
suites: [nano]
"""


def write_plan(folder: Path, text: str = PLAN) -> Path:
    path = folder / "nightly.yaml"
    path.write_text(text, "utf-8")
    return path


def compiled(folder: Path, text: str = PLAN, results: Path | None = None):
    return compile_night(load_plan(write_plan(folder, text)), results or folder / "results", NOW)


def checkpoint(folder: Path, whole: bool = True) -> Path:
    """The shipped nano-width under another digest of its own: config.json, of which it is, says the folder's name."""
    found = load_registry().models["nano-width"].weights_folder
    assert found is not None
    folder.mkdir(parents=True)
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json", "generation_config.json"):
        shutil.copy(found / name, folder / name)
    config = (folder / "config.json").read_text("utf-8").rstrip().removesuffix("}").rstrip()
    (folder / "config.json").write_text(f'{config},\n "of_step": "{folder.name}"\n}}\n', "utf-8")
    content = (found / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content if whole else content[:-1000])
    return folder
