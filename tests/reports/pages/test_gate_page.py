"""The page of the gate's certificate says what docs/gate-certificate.md says, figure for figure."""

import re

from support.boards import site, small
from support.report_pages import Page

from reports.pages import gate
from reports.pages.certificate import Span, bars, sections, spans

CERTIFICATE = gate.CERTIFICATE.read_text("utf-8")


def made(path=gate.CERTIFICATE) -> str:
    ((_, html),) = gate.pages(site(small()), path)
    return html


def test_every_table_of_the_certificate_is_whole_on_the_page():
    lines = [line for line in CERTIFICATE.splitlines() if line.startswith("|") and "---" not in line]
    told = [[re.sub(r"[`*]", "", cell).strip() for cell in line.strip("|").split("|")] for line in lines]
    assert Page(made()).rows == told


def test_every_word_of_its_text_stands_on_the_page():
    told = " ".join(Page(made()).text.split())
    for line in CERTIFICATE.splitlines():
        if line and not line.startswith(("#", "|", "<!--", "```", "[")):
            plain = re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", line).removeprefix("- ").replace("`", "").strip()
            assert plain in told, line


def test_what_is_promised_is_counted():
    found = sections(CERTIFICATE)
    met, promised = bars(found)
    assert promised == sum(line.endswith("| yes |") or "**no**" in line for line in CERTIFICATE.splitlines())
    assert gate.summary(met, promised) in made()


def test_a_bar_that_is_missed_is_seen():
    missed = CERTIFICATE.replace("| yes |", "| **no** |", 1)
    met, promised = bars(sections(missed))
    assert met == promised - 1
    assert gate.summary(met, promised).startswith(f"{met} of {promised} bars")


def test_columns_of_numbers_stand_right():
    table = next(block for section in sections("# t\n\n| a | b | c |\n|---|---|---|\n| x | 1 % | < 2 |\n| y | – | z |\n")
                 for block in section.blocks)  # fmt: skip
    assert table.numbers == (False, True, False)


def test_marks_inside_a_line_are_read():
    assert spans("a `b` **c** [d](e) f") == (
        Span("a "), Span("b", "code"), Span(" "), Span("c", "bold"), Span(" "), Span("d"), Span(" f"),
    )  # fmt: skip


def test_an_installation_without_the_certificate_says_how_to_make_it(tmp_path):
    html = made(tmp_path / "none.md")
    assert "python benchmarks/gate_calibration.py" in html
    assert "minizoo power --detect" in html
    assert "<table" not in html


def test_text_of_a_certificate_stays_text(tmp_path):
    path = tmp_path / "c.md"
    path.write_text("# c\n\n## <img src=x>\n\n| a | b |\n|---|---|\n| <script> | `</script>` |\n", "utf-8")
    html = made(path)
    assert "<img" not in html
    assert "&lt;script&gt;" in html
