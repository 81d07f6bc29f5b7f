"""The site's folder: only ours is written and taken away, whole or not at all, and only what changed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from reports.site.writing import JOURNAL, LOCK, MANIFEST, Site, check_replaceable, site_in, write_file
from zoo.errors import NewerSite, NotASite, NotWritable

PAGES = {"index.html": "home", "models/a.html": "a", "models/b.html": "b"}


def write(folder: Path, pages: Mapping[str, str], states: Mapping[str, str] | None = None) -> Site:
    """Write a site of these pages; `states` gives the digests of inputs of some."""
    with site_in(folder) as site:
        for address, content in pages.items():
            state = (states or {}).get(address)
            if state is None or not site.unchanged(address, state):
                site.put(address, content, state)
    return site


def ended(folder: Path, pages: Mapping[str, str]) -> None:
    """Write some pages and be interrupted."""
    with site_in(folder) as site:
        for address, content in pages.items():
            site.put(address, content, content)
        raise KeyboardInterrupt


def contents(folder: Path) -> dict[str, str]:
    """Every file that is not for minizoo itself."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name not in (MANIFEST, LOCK)]
    return {path.relative_to(folder).as_posix(): path.read_text("utf-8") for path in files}


def everything(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Name, time and bytes of everything below a folder."""
    paths = [path for path in sorted(folder.rglob("*")) if path.name != LOCK]
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"") for path in paths}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "site"


def test_a_site_is_its_pages_and_a_list_of_them(out: Path):
    site = write(out, PAGES)
    assert contents(out) == PAGES
    assert (site.files, site.written) == (3, 3)
    assert json.loads((out / MANIFEST).read_text("utf-8"))["schema"] == "minizoo.site/1"


def test_only_what_changed_is_written_and_what_is_no_longer_made_is_taken_away(out: Path):
    write(out, PAGES)
    before = {name: (out / name).stat().st_mtime_ns for name in PAGES}
    site = write(out, {"index.html": "home", "runs/c.html": "c"})
    assert site.written == 1
    assert contents(out) == {"index.html": "home", "runs/c.html": "c"}
    assert (out / "index.html").stat().st_mtime_ns == before["index.html"]
    assert not (out / "models").exists()


def test_the_same_pages_leave_the_same_bytes(out: Path, tmp_path: Path):
    write(out, PAGES)
    write(tmp_path / "other", dict(reversed(PAGES.items())))
    assert {name: (out / name).read_bytes() for name in (*PAGES, MANIFEST)} == {
        name: (tmp_path / "other" / name).read_bytes() for name in (*PAGES, MANIFEST)
    }


def test_a_page_told_by_its_inputs_is_made_anew_where_they_changed_or_it_is_gone(out: Path):
    write(out, PAGES, {"models/a.html": "1"})
    assert write(out, {**PAGES, "models/a.html": "never looked at"}, {"models/a.html": "1"}).written == 0
    assert contents(out)["models/a.html"] == "a"
    assert write(out, {**PAGES, "models/a.html": "new"}, {"models/a.html": "2"}).written == 1
    (out / "models/a.html").unlink()
    assert write(out, PAGES, {"models/a.html": "2"}).written == 1
    assert contents(out) == PAGES


def test_a_page_that_somebody_edited_is_ours_again(out: Path):
    write(out, PAGES)
    (out / "index.html").write_text("edited")
    write(out, PAGES)
    assert contents(out) == PAGES


@pytest.mark.parametrize("name", ["notes.txt", "index.html", "models/a.html", ".hidden", "sub/deep/file"])
def test_a_folder_with_anything_else_in_it_is_refused_and_nothing_is_touched(out: Path, name: str):
    (out / name).parent.mkdir(parents=True)
    (out / name).write_text("mine")
    before = everything(out.parent)
    with pytest.raises(NotASite, match="Nothing was written"):
        write(out, PAGES)
    assert everything(out.parent) == before
    assert not (out / LOCK).exists()


def test_a_file_of_others_that_came_between_is_never_overwritten_or_taken_away(out: Path):
    write(out, {"index.html": "home"})
    (out / "models").mkdir()
    (out / "models/notes.txt").write_text("mine")
    write(out, PAGES)
    write(out, {"index.html": "home"})
    assert contents(out) == {"index.html": "home", "models/notes.txt": "mine"}
    (out / "models/b.html").write_text("mine too")
    with pytest.raises(NotASite, match=r"models/b\.html"):
        write(out, PAGES)
    assert contents(out)["models/b.html"] == "mine too"


def test_what_an_ended_run_left_is_still_ours(out: Path):
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            ended(out, {"index.html": "half", "models/x.html": "left behind"})
    with (out / JOURNAL).open("a") as journal:
        journal.write('"cut sho')
    write(out, PAGES)
    assert contents(out) == PAGES


def test_a_page_of_an_ended_run_is_made_anew_whatever_was_noted_before(out: Path):
    write(out, PAGES, {"models/a.html": "old"})
    with pytest.raises(KeyboardInterrupt):
        ended(out, {"models/a.html": "new"})
    write(out, PAGES, {"models/a.html": "old"})
    assert contents(out) == PAGES


def test_a_page_that_cannot_be_written_leaves_the_old_one(out: Path, monkeypatch: pytest.MonkeyPatch):
    write(out, PAGES)

    def full(self: Path, data: bytes) -> int:
        if self.name.endswith(".part"):
            with self.open("wb") as file:
                file.write(data[:1])
            raise OSError(28, "No space left on device")
        return len(data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(NotWritable, match="No space left on device") as caught:
        write(out, {**PAGES, "index.html": "another"})
    assert "minizoo report --out DIR" in str(caught.value)
    monkeypatch.undo()
    assert {name: text for name, text in contents(out).items() if name != JOURNAL} == PAGES


def manifest(out: Path, text: str) -> None:
    out.mkdir(parents=True)
    (out / MANIFEST).write_text(text)
    (out / "index.html").write_text("of the site")


def test_a_site_of_a_newer_minizoo_is_refused(out: Path):
    manifest(out, '{"schema": "minizoo.site/2", "pages": {"index.html": 7}}')
    before = everything(out)
    with pytest.raises(NewerSite, match="newer minizoo"):
        write(out, PAGES)
    assert everything(out) == before


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "{", '{"schema": "other/1", "files": {}}', '{"schema": "minizoo.site/1", "files": ["index.html"]}',
        '{"schema": "minizoo.site/1", "files": {"../outside": "1"}}', '{"schema": "minizoo.site/1"}',
        '{"schema": "minizoo.site/1", "files": {"/etc/passwd": "1"}}', '{"schema": "minizoo.site/x", "files": 3}',
        '{"schema": "minizoo.site/1", "files": {"a/./b": "1"}}', "[" * 99_999,
    ],
)  # fmt: skip
def test_a_list_that_is_none_makes_no_folder_ours(out: Path, text: str):
    (out.parent).mkdir()
    (out.parent / "outside").write_text("mine")
    manifest(out, text)
    before = everything(out.parent)
    with pytest.raises(NotASite):
        write(out, PAGES)
    assert everything(out.parent) == before


def test_the_one_page_of_earlier_versions_gives_way_to_a_site(out: Path):
    out.mkdir(parents=True)
    (out / "index.html").write_text("<!doctype html><title>minizoo results</title>")
    write(out, PAGES)
    assert contents(out) == PAGES


def test_a_file_in_the_place_of_the_folder_is_left_alone(out: Path):
    out.parent.mkdir()
    out.write_text("mine")
    with pytest.raises(NotWritable):
        write(out, PAGES)
    assert out.read_text() == "mine"


def test_a_folder_that_cannot_be_made_is_told():
    with pytest.raises(NotWritable, match="/proc/minizoo"):
        write(Path("/proc/minizoo"), PAGES)


def test_copies_are_bytes_of_the_record(out: Path, tmp_path: Path):
    (tmp_path / "samples.parquet").write_bytes(b"PAR1\0rest")
    with site_in(out) as site:
        site.copy("runs/r/t.parquet", tmp_path / "samples.parquet", "s")
    assert (out / "runs/r/t.parquet").read_bytes() == b"PAR1\0rest"
    with site_in(out) as site:
        assert site.unchanged("runs/r/t.parquet", "s")


def test_one_file_takes_the_place_of_a_page_of_ours_alone(tmp_path: Path):
    file = tmp_path / "new" / "page.html"
    check_replaceable(file)
    write_file(file, b'<!doctype html><meta name="generator" content="minizoo">')
    check_replaceable(file)
    file.write_text("mine")
    with pytest.raises(NotASite, match="left as it is"):
        check_replaceable(file)
    (tmp_path / "folder").mkdir()
    with pytest.raises(NotWritable):
        check_replaceable(tmp_path / "folder")
