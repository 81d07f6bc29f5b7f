"""docs/gpu-rows.md says what the command does: its options, sentences and codes, its steps, what the pairs need."""

import re
import shlex

import pytest
from support.paths import ROOT

from benchmarks import gpu_rows
from benchmarks.rows.family import family_of
from benchmarks.rows.plan import ORDER
from harness.records.reason_codes import INVALID, NOTES
from minizoo.doctor.devices import GIVE
from zoo.arch.roofline import memory_bytes
from zoo.errors import causes
from zoo.registry.loader import load_registry

TEXT = (ROOT / "docs/gpu-rows.md").read_text("utf-8")
CASES = TEXT.split("## What can go wrong")[1].split("\n## ")[0]
SPEAKERS = [
    "benchmarks/gpu_rows.py",
    "benchmarks/rows",
    "harness/bundles",
    "harness/metrics",
    "minizoo/display/bundles.py",
]
OF_MINIZOO = {"--check", "--out"}


def sources():
    """What the command and the import say, as their code has it."""
    files = [
        path for name in SPEAKERS for path in ([ROOT / name] if name.endswith(".py") else (ROOT / name).glob("*.py"))
    ]
    return "\n".join(path.read_text("utf-8") for path in files)


@pytest.mark.parametrize("words", re.findall(r"^python benchmarks/gpu_rows\.py([^#\n]*)", TEXT, re.MULTILINE))
def test_a_command_of_the_page_is_understood(words):
    args = gpu_rows._arguments(shlex.split(words))
    assert args.plan or args.by == "Your Name"


def test_every_option_that_is_named_is_one():
    named = set(re.findall(r"(?<![\w-])--[a-z][\w-]*", TEXT))
    assert named - OF_MINIZOO <= set(gpu_rows.OPTIONS)
    assert len(named) > 10


def test_what_is_printed_is_what_the_code_prints():
    quoted = re.findall(r'"([^"]+)"', CASES)
    said = re.sub(r"\s+", " ", sources())
    assert len(quoted) > 12
    assert [words for words in quoted if words not in said] == []


def test_every_code_of_a_case_is_known():
    found = set(re.findall(r"`([a-z]+(?:-[a-z]+)+)`", CASES))
    assert found <= {*INVALID, *NOTES, *(cause.code for cause in causes())}
    assert len(found) > 8


def test_the_steps_stand_in_the_order_in_which_they_are_run():
    steps = re.findall(r"^\d\. (?:`(\w+)`|Scoring)", TEXT, re.MULTILINE)
    assert [step or "scoring" for step in steps] == [*ORDER, "scoring"]


def test_the_pairs_need_what_is_said():
    pairs = family_of(load_registry(), "minitron").pairs
    needs = [[memory_bytes(model.architecture, 1, 256) / 1e9 for model in pair] for pair in pairs]
    (child, parent), small = pairs[0], needs[0]
    assert f"`{child.id}`, {small[0]:.1f} GB, beside `{parent.id}`, {small[1]:.1f} GB" in TEXT
    assert f"{sum(small):.0f} GB for the smallest" in TEXT
    assert f"{max(map(sum, needs)):.0f} GB for the largest" in TEXT.replace("\n", " ")


@pytest.mark.parametrize("page", ["docs/gpu-rows.md", "reports/published/README.md"])
def test_links_lead_somewhere(page):
    targets = re.findall(r"\]\(([^)#]+)[^)]*\)", (ROOT / page).read_text("utf-8"))
    inside = [target for target in targets if "://" not in target]
    assert [target for target in inside if not ((ROOT / page).parent / target).exists()] == []


def test_the_doctor_of_a_machine_with_a_gpu_leads_here():
    (command,) = re.findall(r"`python benchmarks/gpu_rows\.py ([^`]+)`", GIVE)
    assert gpu_rows._arguments(shlex.split(command)).minutes == 10
    assert "docs/gpu-rows.md" in GIVE
