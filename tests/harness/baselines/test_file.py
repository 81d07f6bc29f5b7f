"""The file of baselines: what it may say, where it is wrong by line, and what stays when one is written."""

from datetime import UTC, datetime

import pytest

from harness.baselines.file import Baseline, load_baselines, write_baseline
from zoo.errors import FileMissing, InvalidBaselines

FILE = """\
# Of our team.
schema: minizoo.baselines/1
baselines:
  teacher:   # the one that ships
    model: nano-teacher
    run: 01a22a49-b2b4-7dae-a9be-2b9dae16857b
    accepted_by: Ada Lovelace
    reason: measured on a quiet machine
    accepted_at: 2026-11-30T02:40:00Z
    bundle: baselines/teacher-0a1b2c3d.zip
    sha256: {sha256}
    bytes: 1200
"""
SHA256 = "0a1b2c3d" * 8
WHOLE = FILE.format(sha256=SHA256)
SECOND = Baseline(
    name="nvidia/Minitron-4B", model="minitron-4b", run="r2", accepted_by="Ada: 'x'", reason="yes # really: it is",
    accepted_at=datetime(2026, 12, 1, 3, 4, 5, tzinfo=UTC), bundle="baselines/b.zip", sha256="1" * 64, bytes=7,
)  # fmt: skip


@pytest.fixture
def file(tmp_path):
    def write(text):
        (tmp_path / "baselines.yaml").write_text(text)
        return tmp_path / "baselines.yaml"

    return write


def test_a_file_is_read_with_every_field(file):
    (found,) = load_baselines(file(WHOLE)).values()
    assert (found.name, found.model, found.accepted_by, found.bytes) == (
        "teacher",
        "nano-teacher",
        "Ada Lovelace",
        1200,
    )
    assert found.accepted_at == datetime(2026, 11, 30, 2, 40, tzinfo=UTC)


def changed(old, new):
    assert old in WHOLE
    return WHOLE.replace(old, new)


BAD = {
    "unknown key": (changed("reason:", "raeson:"), ":8:5: ", "unknown key"),
    "unknown key of the file": (WHOLE + "owner: me\n", ":13:1: ", "unknown key"),
    "a name twice": (WHOLE + WHOLE[WHOLE.index("  teacher") :], ":13:3: ", "'teacher' stands twice (first in line 4)"),
    "torn in an entry": (WHOLE[: WHOLE.index("    sha256")], ":4:3: ", "'sha256' is missing"),
    "torn in a digest": (WHOLE[: WHOLE.index(SHA256) + 9], ":11:13: ", "pattern"),
    "torn in a word": (WHOLE[: WHOLE.index("reason") + 3], ":8:", ""),
    "empty": ("", ":1:1: ", ""),
    "no yaml": ("baselines: [", ":1:13: ", "not YAML"),
    "an alias": (changed("accepted_by: Ada Lovelace", "accepted_by: *ada"), ":7:", ""),
    "no time": (changed("2026-11-30T02:40:00Z", "yesterday"), ":9:18: ", "yesterday"),
    "a bundle elsewhere": (changed("baselines/teacher", "../teacher"), ":10:13: ", "beside this file"),
    "an absolute bundle": (changed("baselines/teacher", "/srv/teacher"), ":10:13: ", "beside this file"),
    "no size": (changed("1200", "-3"), ":12:12: ", "-3"),
    "no name": (changed("teacher:  ", "'two words':"), ":4:3: ", "pattern"),
    "newer": (changed("baselines/1", "baselines/2"), ":2:9: ", "of a newer minizoo"),
    "of something else": (changed("minizoo.baselines/1", "minizoo.gate/1"), ":2:9: ", "minizoo.baselines/1"),
}


@pytest.mark.parametrize("fault", BAD)
def test_what_is_wrong_is_told_with_its_line(fault, file):
    text, where, what = BAD[fault]
    path = file(text)
    with pytest.raises(InvalidBaselines) as raised:
        load_baselines(path)
    assert str(raised.value).startswith(f"{path}{where}")
    assert what in raised.value.what
    assert raised.value.hint


def test_no_file_is_told_with_what_makes_one(tmp_path):
    with pytest.raises(FileMissing, match="minizoo baseline accept"):
        load_baselines(tmp_path / "baselines.yaml")


def test_what_else_stands_there_stays_when_one_is_written(file):
    path = file(WHOLE)
    write_baseline(path, SECOND)
    assert path.read_text().startswith(WHOLE)
    assert load_baselines(path)[SECOND.name] == SECOND
    replaced = load_baselines(path)["teacher"].model_copy(update={"reason": "a better machine"})
    write_baseline(path, replaced)
    assert list(load_baselines(path).values()) == [replaced, SECOND]
    assert "# the one that ships" in path.read_text()


def test_a_first_one_makes_the_file_and_an_empty_mapping_is_filled(tmp_path, file):
    write_baseline(tmp_path / "new.yaml", SECOND)
    path = file("# ours\nschema: minizoo.baselines/1\nbaselines: {}\n")
    write_baseline(path, SECOND)
    assert load_baselines(path) == load_baselines(tmp_path / "new.yaml") == {SECOND.name: SECOND}
    assert path.read_text().startswith("# ours\n")


def test_a_broken_file_is_not_written_over(file):
    path = file(BAD["unknown key"][0])
    with pytest.raises(InvalidBaselines):
        write_baseline(path, SECOND)
    assert path.read_text() == BAD["unknown key"][0]


@pytest.mark.parametrize(
    "words", ["null", "yes", "1e5", "a: b # c", "'quoted'", "- x", "é ☃", "2026-11-30", "*x", "%", "\\n"]
)
def test_any_words_are_read_back_as_they_were_said(words, tmp_path):
    said = SECOND.model_copy(update={"reason": words, "accepted_by": words, "model": words})
    write_baseline(tmp_path / "b.yaml", said)
    assert load_baselines(tmp_path / "b.yaml") == {said.name: said}
