"""What several tests need: the assets, a tiny model, and the command line run inside this process."""

import json
import os
import signal
import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest

from harness.sandbox import runner as sandbox
from harness.sandbox.tiers import TIERS, TIERS_VARIABLE
from zoo.errors import NoIsolation

ROOT = Path(__file__).parent.parent
MAY_SKIP = ("GPU", "works here)", "make test-engines")
"""Parts of reasons: a test that wants a machine without a GPU, a way of isolation that this machine forbids beside one that
works, and an engine whose tests have a target of their own."""

MARKED = {
    "training": ["zoo/nano/test_nano_training.py"],
    "browser": [
        "reports/pages/test_board_browser.py",
        "reports/pages/test_comparison_any_pair.py",
        "reports/pages/test_comparison_pages.py",
        "reports/pages/test_model_browser.py",
        "reports/pages/test_run_browser.py",
        "reports/pages/test_speed_pages.py",
        "reports/test_report_browser.py",
    ],
    "e2e": ["e2e", "engines"],
    "fleet": ["harness/fleet/ray", "harness/fleet/schedulers"],
    "slow": [
        "backends/conformance/test_faults.py",
        "backends/conformance/test_run.py",
        "backends/openai/test_served_failures.py",
        "backends/packing/test_packed_hflm.py",
        "backends/packing/test_planted_mutations.py",
        "backends/several",
        "backends/test_architecture_sweep_1.py",
        "backends/test_architecture_sweep_2.py",
        "backends/test_hf_device_map.py",
        "backends/third_party",
        "backends/trtllm/test_trtllm_conformance.py",
        "backends/workers",
        "benchmarks/test_gpu_rows_whole.py",
        "benchmarks/test_rows_process.py",
        "benchmarks/test_scoring.py",
        "docs",
        "harness/accuracy/test_bad_input.py",
        "harness/accuracy/test_card_command.py",
        "harness/accuracy/test_engine_faults.py",
        "harness/accuracy/test_fewshot_seeds.py",
        "harness/accuracy/test_local_models.py",
        "harness/accuracy/test_lost_tasks.py",
        "harness/accuracy/test_many_processes.py",
        "harness/accuracy/test_memory_need.py",
        "harness/accuracy/test_not_finite.py",
        "harness/accuracy/test_resume.py",
        "harness/compare/test_lm_eval_folders.py",
        "harness/conformance/test_self_check.py",
        "harness/exports/test_read_by_lm_eval.py",
        "harness/findings/test_experiment_folder.py",
        "harness/fleet/jobs",
        "harness/fleet/night/test_nightly_command.py",
        "harness/fleet/night/test_run_night.py",
        "harness/fleet/plan/test_checkpoints.py",
        "harness/fleet/plan/test_plan_cost.py",
        "harness/fleet/ray/test_nodes_eval.py",
        "harness/fleet/ray/test_ray_executor.py",
        "harness/fleet/ray/test_ray_night.py",
        "harness/fleet/schedulers",
        "harness/fleet/test_local.py",
        "harness/gates/test_noise_reruns.py",
        "harness/lmeval/test_chance.py",
        "harness/lmeval/test_chat.py",
        "harness/lmeval/test_context.py",
        "harness/lmeval/test_drop_in_evaluation.py",
        "harness/lmeval/test_drop_in_model.py",
        "harness/lmeval/test_generation_settings.py",
        "harness/lmeval/test_golden_prompts.py",
        "harness/lmeval/test_groups.py",
        "harness/lmeval/test_hflm_equality.py",
        "harness/lmeval/test_lm_eval_command.py",
        "harness/lmeval/test_lm_eval_data.py",
        "harness/lmeval/test_prompts.py",
        "harness/lmeval/test_recorded_runs.py",
        "harness/lmeval/test_request_kinds.py",
        "harness/lmeval/test_stock_tasks.py",
        "harness/sandbox",
        "harness/speed/test_comparison.py",
        "harness/tasks",
        "minizoo/test_bench_command.py",
        "minizoo/test_claims_reproduce.py",
        "minizoo/test_compare_command.py",
        "minizoo/test_conformance_command.py",
        "minizoo/test_data_command.py",
        "minizoo/test_distill_command.py",
        "minizoo/test_distill_stopped.py",
        "minizoo/test_dry_run.py",
        "minizoo/test_eval_openai.py",
        "minizoo/test_eval_workers.py",
        "minizoo/test_probe.py",
        "minizoo/test_prune_stopped.py",
        "minizoo/test_run_log.py",
        "minizoo/test_search_command.py",
        "minizoo/test_several_models.py",
        "minizoo/test_time_estimate.py",
        "reports/test_contributed_rows.py",
        "reports/test_report_command.py",
        "zoo/checkpoint/test_context_length.py",
        "zoo/checkpoint/test_pickled.py",
        "zoo/distill/train/test_killed_run.py",
        "zoo/distill/train/test_two_processes.py",
        "zoo/nano/test_nano_students.py",
        "zoo/prune/test_importance_ablation.py",
        "zoo/registry/test_registry_bad_input.py",
        "zoo/reproduce/test_one_seed.py",
    ],
}
"""Marker → test files or folders; what has none is in `make fast-test`. Slow is what takes long: real benchmark data,
processes and sandboxes, thousands of drawn inputs."""

if (
    signal.getsignal(signal.SIGINT) == signal.SIG_IGN
):  # a shell's background job; the processes of tests would inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # no test waits for a hub
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("MINIZOO_LOG_DIR", str(Path(tempfile.gettempdir()) / "minizoo-test-logs"))
os.environ.setdefault(
    "MINIZOO_PROGRESS_SECONDS", "0"
)  # a busy machine's lines would stand between those that tests read
os.environ.setdefault("OMP_NUM_THREADS", "1")  # tests run side by side, a process a core


def assets_folder() -> Path | None:
    """Where the data of tests is: $MINIZOO_TEST_ASSETS, else `shared` beside the checkout."""
    named = os.environ.get("MINIZOO_TEST_ASSETS")
    for folder in [Path(named)] if named else [ROOT.parent / "shared"]:
        if (folder / "data").is_dir():
            return folder
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the tests their markers from the table, and the marked ones the first place."""
    for marker, paths in MARKED.items():
        for path in (Path(__file__).parent / name for name in paths):
            if not path.exists():
                raise pytest.UsageError(f"MARKED names {path}, which is not there")
            for item in items:
                if item.path.is_relative_to(path):
                    item.add_marker(marker)


@pytest.fixture(scope="session")
def assets() -> Path:
    folder = assets_folder()
    if folder is None:
        pytest.skip("no test assets: set MINIZOO_TEST_ASSETS")
    return folder


@pytest.fixture(scope="session")
def data(assets: Path) -> Path:
    return assets / "data"


@pytest.fixture(scope="session")
def stories(assets: Path) -> Path:
    """A trained Llama of 260,032 parameters with a context of 512."""
    return assets / "models" / "stories260k"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Where MINIZOO_TESTS_MAY_NOT_SKIP is set, a skip is a failure, but for what the machine decides."""
    report = yield
    allowed = any(words in str(report.longrepr) for words in MAY_SKIP)
    if report.skipped and os.environ.get("MINIZOO_TESTS_MAY_NOT_SKIP") and not allowed:
        report.outcome = "failed"
        report.longrepr = f"skipped, which is not allowed here: {report.longrepr[-1]}"
    return report


@pytest.fixture(params=[tier.name for tier in TIERS])
def tier(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each way of isolating that works here, one at a time; skips where it does not, with its own reason."""
    best = sandbox.isolation()
    monkeypatch.setenv(TIERS_VARIABLE, request.param)
    try:
        return sandbox.require_isolation()
    except NoIsolation as fault:
        pytest.skip(f"{fault.what} ({best} works here)" if best else fault.what)


class Ran(NamedTuple):
    """What a command left: exit code, stdout, stderr."""

    code: int
    out: str
    err: str

    def json(self):
        return json.loads(self.out)


@pytest.fixture
def minizoo(capsys, monkeypatch):
    """Run `minizoo ARGS` in this process, as the installed script does."""
    from minizoo.cli import run

    monkeypatch.delenv("MINIZOO_DATA", raising=False)
    monkeypatch.delenv("MINIZOO_RESULTS", raising=False)

    def call(*args: object) -> Ran:
        capsys.readouterr()
        code = run([str(arg) for arg in args])
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return call
