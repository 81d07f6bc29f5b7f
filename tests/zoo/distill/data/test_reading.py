"""Documents of files: each kind in its order, what is broken named by file and line."""

import json

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from zoo.distill.data import reading
from zoo.distill.data.documents import text_of
from zoo.distill.data.reading import read_documents
from zoo.distill.data.sources import parse_source
from zoo.errors import ChatTemplateMissing, InvalidTrainingData, MinizooError


def chat(turns):
    return "".join(f"<{turn['role']}>{turn['content']}</>" for turn in turns)


def read(path, column=None, **options):
    return [(each.text, each.where) for each in read_documents(parse_source(str(path), column), **options)]


def test_a_text_file_is_one_document(tmp_path):
    path = tmp_path / "tale.txt"
    path.write_bytes("\ufeffOnce.\r\n\r\nTwice, naïvely.\n".encode())
    assert read(path) == [("Once.\r\n\r\nTwice, naïvely.\n", f"{path}:1")]


def test_a_long_text_goes_on_behind_a_line(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "PIECE", 10)
    path = tmp_path / "tale.txt"
    path.write_text("one\ntwo\nthree\nfour five\nsix\n")
    assert read(path) == [("one\ntwo\nthree\n", f"{path}:1"), ("four five\n", f"{path}:4"), ("six\n", f"{path}:5")]
    path.write_text("x" * 45)
    assert "".join(text for text, _ in read(path)) == "x" * 45


def test_lines_of_json_are_documents_and_blank_lines_none(tmp_path):
    path = tmp_path / "tales.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"text": "one\\u2028two"}\r\n\n  \n{"text": ""}\n{"text": "three", "n": NaN}')
    assert read(path) == [("one\u2028two", f"{path}:1"), ("", f"{path}:4"), ("three", f"{path}:5")]


TURNS = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}]
OTHER_FORM = [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Ho"}]
PARTS = [{"role": "user", "content": [{"type": "text", "text": "H"}, {"type": "text", "text": "i"}]}, TURNS[1]]


@pytest.mark.parametrize(
    "row",
    [{"messages": TURNS}, {"conversations": OTHER_FORM}, {"messages": PARTS}, {"messages": TURNS, "text": None}],
)
def test_conversations_go_through_the_template(row):
    assert text_of(row, "chat.jsonl:1", chat=chat) == "<user>Hi</><assistant>Ho</>"


def test_a_named_column_is_read_also_inside_an_object_and_as_a_conversation():
    row = {"text": "no", "meta": {"body": "yes"}, "a.b": "dotted", "talk": TURNS}
    assert text_of(row, "x:1", "meta.body") == "yes"
    assert text_of(row, "x:1", "a.b") == "dotted"
    assert text_of(row, "x:1", "talk", chat) == "<user>Hi</><assistant>Ho</>"


def test_a_conversation_without_a_template_is_refused():
    with pytest.raises(ChatTemplateMissing, match=r"chat\.jsonl:7 is a conversation"):
        text_of({"messages": TURNS}, "chat.jsonl:7")


def refusing(turns):
    raise ValueError("roles must alternate")


def without(turns):
    raise ChatTemplateMissing("It takes no system turn.")


@pytest.mark.parametrize(("template", "told"), [(refusing, "roles must alternate"), (without, "no system turn")])
def test_turns_that_the_template_refuses_are_named(template, told):
    with pytest.raises(InvalidTrainingData, match=rf"chat\.jsonl:7.*{told}"):
        text_of({"messages": TURNS}, "chat.jsonl:7", chat=template)


BROKEN = {
    "no JSON": (b"once upon a time", "is no JSON"),
    "cut": (b'{"text": "once', "is no JSON"),
    "two objects": (b'{"text": "a"}{"text": "b"}', "is no JSON"),
    "Latin-1": (b'{"text": "na\xefve"}', "is not UTF-8"),
    "UTF-16": ('{"text": "a"}'.encode("utf-16-le"), "is no JSON"),
    "NUL": (b"\0\0\0\0", "is no JSON"),
    "half a character": (rb'{"text": "\ud83d"}', "half a character"),
    "nested": (b'{"text":' * 100_000, "is nested too deeply"),
    "a huge number": (b'{"text": ' + b"9" * 5000 + b"}", "is no JSON"),
    "a list": (b'["a"]', "holds a list, no object"),
    "a text": (b'"a"', "holds a text, no object"),
    "null": (b"null", "holds null, no object"),
    "no column": (b'{"txt": "a", "n": 1}', "'text' or 'messages' or 'conversations'; its columns are 'txt', 'n'"),
    "no columns": (b"{}", "its columns are none"),
    "null text": (b'{"text": null}', "has no text"),
    "a number": (b'{"text": 7}', "has no text|holds a number"),
    "no turns": (b'{"messages": []}', "without a turn"),
    "turns of text": (b'{"messages": ["hi"]}', "turn 1"),
    "a turn without a role": (b'{"messages": [{"role": "user", "content": "a"}, {"content": "b"}]}', "turn 2"),
    "a picture": (b'{"messages": [{"role": "user", "content": [{"type": "image"}]}]}', "turn 1"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_line_is_named_or_left_out(tmp_path, case):
    line, told = BROKEN[case]
    path = tmp_path / "tales.jsonl"
    path.write_bytes(b'{"text": "before"}\n' + line + b'\n{"text": "behind"}\n')
    with pytest.raises(MinizooError, match=rf"tales\.jsonl:2.*({told})") as caught:
        read(path, chat=chat)
    assert isinstance(caught.value, InvalidTrainingData)
    documents = list(read_documents(parse_source(str(path)), chat, skip_broken=True))
    assert [each.text for each in documents] == ["before", "", "behind"]
    assert f"{path}:2" in (documents[1].fault or "")
    assert documents[0].fault is documents[2].fault is None


def test_the_hint_names_the_columns_that_hold_a_text():
    with pytest.raises(InvalidTrainingData, match="--text-column body or 'my text'"):
        text_of({"body": "a", "n": 1, "my text": "b", "\x1b[2J": "c"}, "x:1")


def test_a_line_without_an_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "LONGEST_LINE", 100)
    path = tmp_path / "tales.jsonl"
    path.write_bytes(b'{"text": "a"}\n' + b"\0" * 500)
    with pytest.raises(InvalidTrainingData, match=r"tales\.jsonl:2 has no end"):
        read(path)


def test_a_text_that_is_not_utf_8_is_named_by_line(tmp_path):
    path = tmp_path / "tale.txt"
    path.write_bytes(b"fine\nfine\nna\xefve\n")
    with pytest.raises(InvalidTrainingData, match=r"tale\.txt:3 is not UTF-8"):
        read(path)


def test_parquet_rows_are_documents(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "ROWS_AT_ONCE", 2)
    path = tmp_path / "tales.parquet"
    pq.write_table(pa.table({"id": [1, 2, 3], "text": ["a", None, "c"], "body": ["x", "y", "z"]}), path)
    with pytest.raises(InvalidTrainingData, match=r"tales\.parquet:row 2 has no text"):
        read(path)
    assert [text for text, _ in read(path, skip_broken=True)] == ["a", "", "c"]
    assert read(path, "body")[2] == ("z", f"{path}:row 3")
    with pytest.raises(InvalidTrainingData, match="its columns are 'id', 'text', 'body'"):
        read(path, "absent")


def test_parquet_conversations_go_through_the_template(tmp_path):
    path = tmp_path / "chat.parquet"
    pq.write_table(pa.table({"messages": [TURNS]}), path)
    assert read(path, chat=chat) == [("<user>Hi</><assistant>Ho</>", f"{path}:row 1")]


@pytest.mark.parametrize("harm", ["text", "cut", "empty", "middle"])
def test_broken_parquet_is_refused_by_name(tmp_path, harm):
    path = tmp_path / "tales.parquet"
    pq.write_table(pa.table({"text": ["long " * 200 + str(n) for n in range(200)]}), path, compression="zstd")
    content = path.read_bytes()
    at = 40
    harmed = {
        "text": b"once upon a time",
        "cut": content[: len(content) // 2],
        "empty": b"",
        "middle": content[:at] + b"\xff" * 60 + content[at + 60 :],
    }
    path.write_bytes(harmed[harm])
    with pytest.raises(InvalidTrainingData, match=r"tales\.parquet"):
        read(path)


def test_a_folder_of_save_to_disk_is_read(tmp_path):
    datasets.Dataset.from_dict({"text": ["one", "two"]}).save_to_disk(str(tmp_path / "saved"))
    assert read(tmp_path / "saved") == [
        ("one", f"{tmp_path / 'saved'}:row 1"),
        ("two", f"{tmp_path / 'saved'}:row 2"),
    ]
    (tmp_path / "saved" / "state.json").write_text("{")
    with pytest.raises(InvalidTrainingData, match="saved is no data set"):
        read(tmp_path / "saved")


def test_a_folder_of_several_kinds_is_read_file_by_file(tmp_path):
    (tmp_path / "many").mkdir()
    (tmp_path / "many" / "1.txt").write_text("one")
    (tmp_path / "many" / "2.jsonl").write_text(json.dumps({"text": "two"}))
    assert [text for text, _ in read(tmp_path / "many")] == ["one", "two"]


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    path = tmp_path / "tales.jsonl"
    path.write_text("{}")
    source = parse_source(str(path))
    path.unlink()
    with pytest.raises(InvalidTrainingData, match=r"tales\.jsonl cannot be read \(No such file"):
        list(read_documents(source))


def test_sizes_of_documents_add_up_to_the_file(tmp_path):
    path = tmp_path / "tales.jsonl"
    path.write_text('{"text": "a"}\n{"text": "ü"}\n')
    assert sum(each.size for each in read_documents(parse_source(str(path)))) == path.stat().st_size
