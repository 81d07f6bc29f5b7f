"""What leaves the machine in a record: no name of it or of its user, no path, and every word of minizoo as it was."""

import re

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from support.bundles import SETTING, SUBJECT, scoring_row
from support.records import record

from harness.bundles import private
from harness.bundles.private import VOCABULARY, Private, check_private, this_machine, withheld
from harness.records.files import read_record
from harness.records.speed_record import Achieved, Reason, SpeedComparison, SpeedFacts, Statistic, Validity
from zoo.errors import InternalError
from zoo.registry.loader import load_registry

ALICE = Private(
    frozenset({"gpu-box7.lab.example.org"}), frozenset({"alice", "hf"}), frozenset({"/home/alice", "/data/al ice"})
)
SENTENCES = {
    "cannot open /home/alice/models/m1/config.json": "cannot open config.json",
    "cannot open '/mnt/my disk/x y.bin'": "cannot open 'x y.bin'",
    "cannot open /mnt/my disk/x.bin: 12 tokens/s": "cannot open x.bin: 12 tokens/s",
    "error:/srv/x on gpu-box7": "error:x on withheld",
    "GPU-BOX7.lab.example.org:22, gpu-box7.local and lab.example.org": "withheld:22, withheld and withheld",
    "Alice's alice_results, not malice": "withheld's withheld_results, not malice",
    "~alice/x ~/y file:///srv/z -I/home/alice/i": "x y z -Ii",
    "C:\\Users\\alice\\q": "q",
    "/home/alice": "withheld",
    "/opt/hf": "withheld",
    "GPU-12345678-abcd-1234-abcd-1234567890ab is lost": "withheld is lost",
    "MIG-GPU-12345678-abcd-1234-abcd-1234567890ab/1/0": "withheld",
    "--backend hf of nano-teacher at 3 GB/s, 1/2 and/or 2": "--backend hf of nano-teacher at 3 GB/s, 1/2 and/or 2",
    "see https://huggingface.co/nvidia/Minitron-4B-Base": "see https://huggingface.co/nvidia/Minitron-4B-Base",
    "Linux 6.8.0-1017-aws x86_64, Python 3.12.3": "Linux 6.8.0-1017-aws x86_64, Python 3.12.3",
}


@pytest.mark.parametrize("text", SENTENCES)
def test_paths_become_their_last_part_and_names_are_withheld(text):
    assert ALICE.text(text) == SENTENCES[text]


COMMANDS = {
    "minizoo bench '/home/x y/al smith/m' --results=/tmp/q '--dir=/a b/c d'": "minizoo bench m --results=q '--dir=c d'",
    "minizoo bench nano-teacher --backend hf -I/opt/x": "minizoo bench nano-teacher --backend hf -Ix",
    "minizoo bench minitron-8b --workload 'not closed /home/alice/x": "minizoo bench minitron-8b --workload 'not closed x",
}


@pytest.mark.parametrize("command", COMMANDS)
def test_arguments_are_taken_one_by_one(command):
    assert ALICE.command(command) == COMMANDS[command]


@pytest.mark.parametrize("user", ["hf", "minizoo", "nano", "bfloat16", "cpu", "a", "s", "x8", "teacher"])
def test_a_user_of_any_name_leaves_the_words_of_minizoo_whole(user):
    command = "minizoo bench nano-teacher --backend hf --device cpu --dtype bfloat16 --workload chat"
    assert Private(frozenset(), frozenset({user}), frozenset()).command(command) == command


NAMES = st.from_regex(r"[a-z][a-z0-9-]{1,12}[a-z0-9]", fullmatch=True)
PARTS = ["nano-teacher", "12 tokens/s", "GB", "out of memory:", "(", ")", "'", "/", "a"]
BETWEEN = [" ", ": ", "=", "='", "\n", ", ", " (", ":", '"']


def about(user, host):
    """Pieces of sentences, some with names in them."""
    named = [
        user, user.title(), host, host.upper(), f"{host}.cluster.local", f"/home/{user}", f"/home/{user}/m 1/x.bin",
        f"~{user}/x", f"{user}@{host}", f"-I/home/{user}/include", f"/scratch/{user}/{host}", f"{user}_runs", f"../{user}",
    ]  # fmt: skip
    pieces = st.tuples(st.sampled_from(BETWEEN), st.sampled_from(PARTS + named)).map("".join)
    return st.lists(pieces, max_size=8).map("".join)


def is_told(name, text):
    """Whether the name is a word of the text, in any case."""
    return re.search(rf"(?<![^\W_]){re.escape(name)}(?![^\W_])", text, re.IGNORECASE) is not None


@settings(max_examples=200, deadline=None)
@given(st.data(), NAMES, NAMES)
def test_no_name_and_no_path_is_left_in_any_text(data, user, host):
    public = " ".join([*VOCABULARY, *(name for model in load_registry().models.values() for name in model.names)])
    assume(not is_told(user, public) and not is_told(host, public))
    names = Private(frozenset({host}), frozenset({user}), frozenset({f"/home/{user}"}))
    text = data.draw(about(user, host))
    assert "/scratch" not in names.text(text)
    for told in (names.text(text), names.command(text)):
        assert not is_told(user, told)
        assert not is_told(host, told)
        assert "/home" not in told
        assert names.text(told) == told
        names.check([told])


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="a/~\\ :.'\"=-()G7\n", max_size=30))
def test_what_was_withheld_from_has_nothing_more_to_withhold(text):
    told = ALICE.text(text)
    assert ALICE.text(told) == told
    ALICE.check([told])


def full(user, host, home):
    """A record whose every free text has a name or a path in it."""
    said = f"{user} on {host} in {home}/x"
    return record(
        "fake.8x5.b1", suite="fake", scores=(), reason=said, status="failed", code="device-memory",
        subject=SUBJECT.model_copy(update={"parent": f"{home}/parent", "name": f"{user}'s"}),
        setting=SETTING.model_copy(
            update={
                "host": host, "command": f"minizoo bench {home}/m --backend hf", "platform": f"Linux 6-{host}",
                "versions": {"torch": f"2.13+{user}"},
            }
        ),
        resolved_suite={"name": "fake", "description": said, "batches": "sweep"},
        speed=SpeedFacts(
            workload="fake", point="8x5.b1", roofline_note=said, machine={"product": "A100", "refused": [said]},
            validity=Validity(
                valid=False, reasons=(Reason(code="backend-broke", text=said),), notes=(Reason(code="mig-enabled", text=said),)
            ),
            statistics=(Statistic(metric="itl", statistic="p50", value=None, n=1, refused=said),),
            achieved=(
                Achieved(
                    step="decode", against="measured", source=said, bytes_per_s=1, flops_per_s=1, bytes=1, flops=1,
                    roofline_s=1, measured_s=1, percent=1, bound_by="compute",
                ),
            ),
            comparisons=(
                SpeedComparison(
                    against=f"{home}/m", against_run_id="r", mode="equal batch", batch=1, against_batch=1, memory_budget=None,
                    metric="itl", ratio=1, n=1, against_n=1, seed=0, valid=False, notes=(said,), published=(said,),
                ),
            ),
        ),
    )  # fmt: skip


def controlled(made):
    """What programs branch on, and what a model is called."""
    speed = made.speed
    return [
        made.task, made.suite, made.status, made.code, made.subject.id, made.subject.source, made.setting.backend,
        made.setting.device, made.setting.dtype, made.setting.processor, speed.workload, speed.point, speed.weights,
        [one.code for one in (*speed.validity.reasons, *speed.validity.notes)], speed.machine["product"],
        [(one.metric, one.statistic) for one in speed.statistics], [(one.step, one.against) for one in speed.achieved],
        [(one.metric, one.mode, one.against_run_id) for one in speed.comparisons], made.resolved_suite["name"],
    ]  # fmt: skip


OWN = [
    "hf",
    "minizoo",
    "nano",
    "fake",
    "decode",
    "random",
    "p50",
    "itl",
    "bfloat16",
    "measured",
    "failed",
    "backend-broke",
]


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(OWN) | NAMES, st.sampled_from(["vm", "cpu", "localhost"]) | NAMES)
def test_every_free_text_of_a_record_is_withheld_from_and_no_controlled_word_is(user, host):
    names = Private(frozenset(), frozenset({user}), frozenset({f"/home/{user}"}))
    made = full(user, host, f"/home/{user}")
    shown = names.record(made)
    assert controlled(shown) == controlled(made)
    assert shown.setting.host == "withheld"
    assert "/home" not in shown.model_dump_json()
    free = list(names.free_texts(shown))
    assert len(free) > 15
    if len(user) > 2 and user not in private._public():
        assert not any(is_told(user, text) for text in free)
    if len(host) > 2 and host not in private._public():
        assert not any(is_told(host, text) for text in free)


def test_a_folder_is_called_by_its_name_alone():
    made = full("alice", "box", "/home/alice")
    folder = SUBJECT.model_copy(update={"kind": "folder", "id": "alice-model", "source": "/home/alice/alice-model"})
    shown = ALICE.record(made.model_copy(update={"subject": folder})).subject
    assert (shown.id, shown.source) == ("withheld-model", "withheld-model")


def test_this_machine_knows_its_own_names(tmp_path, monkeypatch):
    monkeypatch.setenv("USER", "grace")
    monkeypatch.setenv("HOME", "/home/grace")
    monkeypatch.setattr(private.platform, "node", lambda: "tower9")
    assert "tower9" in this_machine().hosts
    assert "grace" in this_machine().users
    assert "/home/grace" in this_machine().homes
    run = scoring_row(tmp_path, note="grace let /home/grace/x on tower9 and gpu-box7 be")
    (path,) = (tmp_path / "runs").rglob(f"{run}/*/record.json")
    shown = withheld(read_record(path))
    assert shown.beside.note == "withheld let x on withheld and withheld be"


@pytest.mark.parametrize("text", ["on tower9", "by Grace", "in /home/grace", "/opt/x"])
def test_a_name_that_would_be_in_a_bundle_stops_it(monkeypatch, text):
    names = Private(frozenset({"tower9"}), frozenset({"grace"}), frozenset({"/home/grace"}))
    monkeypatch.setattr(private, "this_machine", lambda: names)
    check_private(["on a tower, by grace alone".replace("grace", "chance")])
    with pytest.raises(InternalError):
        check_private(["nothing", text])
