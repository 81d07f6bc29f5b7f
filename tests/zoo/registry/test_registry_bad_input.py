"""Whatever is wrong in registry.yaml is said in one sentence with file, line and column; never by a traceback."""

import copy
import json
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from zoo.errors import InputError
from zoo.registry.loader import load_registry, shipped_path


def _excerpt(*models: str) -> str:
    """registry.yaml cut down to these models and the sources and protocols that they name, so that tests stay quick."""
    sections = re.split(r"^(?=\w+:)", shipped_path().read_text("utf-8"), flags=re.MULTILINE)[1:]
    blocks = {s.partition(":")[0]: re.split(r"^(?=  [\w.-]+:)", s, flags=re.MULTILINE) for s in sections}
    kept = "".join(block for block in blocks["models"][1:] if block.split(":")[0].strip() in models)
    text = blocks["models"][0] + kept
    for section in ("protocols", "benchmarks", "sources"):
        named = [b for b in blocks[section][1:] if re.search(rf"\b{re.escape(b.split(':')[0].strip())}\b", text)]
        text = blocks[section][0] + "".join(named) + text
    return blocks["schema"][0] + text


TEXT = _excerpt("minitron-8b", "minitron-4b", "nemotron-4-15b", "nemotron-h-8b")
PLACE = re.compile(r"^registry\.yaml:(\d+):(\d+): ")

# what is wrong → the text that is replaced (once), what it becomes, and what the message must name
PLANTED = {
    "unknown key": ("    group: minitron\n", "    groop: minitron\n", "Did you mean 'group'?"),
    "unknown key in dims": ("head_dim: 128,", "headdim: 128,", "Did you mean 'head_dim'?"),
    "missing key": ("    group: minitron\n", "", "'group' is missing"),
    "wrong type": ("num_layers: 32,", "num_layers: many,", "not 'many'"),
    "text for a number": ("num_layers: 32,", 'num_layers: "32",', "not '32'"),
    "broken number": ("num_layers: 32,", "num_layers: 32.5,", "num_layers"),
    "infinite": ("theta: 10000.0,", "theta: .inf,", "theta"),
    "negative dims": ("hidden_size: 4096,", "hidden_size: -4096,", "greater than 0"),
    "zero layers": ("num_layers: 32,", "num_layers: 0,", "greater than 0"),
    "heads not divisible": ("num_kv_heads: 8,", "num_kv_heads: 7,", "48 query heads cannot share 7 KV heads"),
    "off by one": ("parameters: 8_271_699_968", "parameters: 8_271_699_969", "8,271,699,968 (+1)"),
    "child larger than parent": ("hidden_size: [6144, 4096]", "hidden_size: [4096, 6144]", "pruning only shrinks"),
    "axis that is not true": ("hidden_size: [6144, 4096]", "hidden_size: [6144, 4097]", "this model 4096"),
    "unknown axis": ("{hidden_size: [6144,", "{hiden_size: [6144,", "Did you mean 'hidden_size'?"),
    "axis left out": ("{hidden_size: [6144, 4096], ffn", "{ffn", "no compressed axis says so"),
    "score out of range": ("winogrande: 79.0,", "winogrande: 790.0,", "outside 0 to 100"),
    "negative score": ("winogrande: 79.0,", "winogrande: -1.0,", "outside 0 to 100"),
    "score of no task": ("winogrande: 79.0,", "winograd: 79.0,", "Did you mean 'winogrande'?"),
    "group of old": ("    group: minitron\n", "    group: kin\n", "Did you mean 'related'?"),
    "mistyped group": ("    group: minitron\n", "    group: minitorn\n", "Did you mean 'minitron'?"),
    "duplicate key": ("    group: minitron\n", "    group: minitron\n    group: minitron\n", "stands twice"),
    "duplicate alias": ("[minitron-4b-base]", "[minitron-8b-base]", "already names"),
    "alias is an id": ("[minitron-4b-base]", "[Minitron-8B]", "already names"),
    "missing parent": ("parent: nemotron-4-15b", "parent: nemotron-4-16b", "Did you mean 'nemotron-4-15b'?"),
    "missing teacher": ("teacher: nemotron-4-15b", "teacher: nobody", "there is no model 'nobody'"),
    "its own parent": ("parent: nemotron-4-15b", "parent: minitron-8b", "descends from itself"),
    "cyclic lineage": ("parent: nemotron-4-15b", "parent: minitron-4b", "descends from itself"),
    "unknown source": ("source: minitron-paper}", "source: minitron-papr}", "Did you mean 'minitron-paper'?"),
    "unknown protocol": ("protocol: minitron-tables", "protocol: minitron-table", "Did you mean 'minitron-tables'?"),
    "unknown revision": ("revision: paper", "revision: papr", "Did you mean 'paper'?"),
    "short commit": ("commit: c648d1c2cbb9047906cc5805f1bd8c76ba3da3bb", "commit: c648d1c", "commit"),
    "pattern too short": ("M-M-M-M*-M-M-M-M-M*-M-M-M-M-M*-M-M-M-M-M*-M-M-M-M-M-", "M-M", "3 letters for 52 layers"),
    "unknown kind of dims": ("{type: dense,", "{type: sparse,", "type"),
    "statement of nothing": ("field: parameters, value: 8.3B", "field: paramters, value: 8.3B", "'parameters'"),
    "statement that is no number": ("value: 8.3B", "value: about eight", "is no number"),
    "not an address": ("url: \"https://arxiv.org/abs/2407.14679\"", "url: \"javascript:alert(1)\"", "url"),
    "markup for an id": ("  minitron-8b:\n", "  <b>minitron</b>:\n", "<b>minitron</b>"),
    "alias of yaml": ("display: Minitron-8B-Base", "display: &x Minitron-8B-Base\n    notes: &y [*y]", "aliases (*name)"),
    "shared node": ("aliases: [minitron-8b-base]", "aliases: &a [minitron-8b-base]\n    notes: *a", "aliases (*name)"),
    "a tab": ("    group: minitron\n", "\tgroup: minitron\n", "not YAML"),
    "unclosed": ("aliases: [minitron-8b-base]", "aliases: [minitron-8b-base", "not YAML"),
    "python object": ("display: Minitron-8B-Base", "display: !!python/object:os.system x", "cannot be read"),
    "other schema": ("schema: minizoo.registry/1", "schema: minizoo.registry/2", "minizoo.registry/1"),
}  # fmt: skip


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_error_is_named_with_its_place(name, tmp_path):
    before, after, named = PLANTED[name]
    assert before in TEXT
    message = _refusal(TEXT.replace(before, after, 1), tmp_path)
    assert named in message
    line = int(PLACE.match(message)[1])
    assert abs(line - (TEXT[: TEXT.index(before)].count("\n") + 1)) <= 40  # in the entry, at the line or just around it


def test_the_line_and_column_are_those_of_the_value(tmp_path):
    message = _refusal(TEXT.replace("parameters: 8_271_699_968", "parameters: 8_271_699_969", 1), tmp_path)
    line, column = map(int, PLACE.match(message).groups())
    assert TEXT.splitlines()[line - 1][column - 1 :].startswith("8_271_699_968")


@pytest.mark.parametrize("text", ["", "[]", "models", "{}", "schema: minizoo.registry/1", "\x00", "a: [" * 3000])
def test_a_file_that_is_no_registry_is_refused(text, tmp_path):
    _refusal(text, tmp_path)


def test_a_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "registry.yaml").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(InputError, match="not UTF-8"):
        load_registry(tmp_path / "registry.yaml")


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        load_registry(tmp_path / "registry.yaml")


def _paths(data, path=()):
    if isinstance(data, dict):
        for key, value in data.items():
            yield (*path, key)
            yield from _paths(value, (*path, key))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield (*path, index)
            yield from _paths(value, (*path, index))


SMALL = YAML(typ="safe", pure=True).load(TEXT)
PATHS = list(_paths(SMALL))
JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**20), 10**20), st.floats(), st.text(max_size=8), st.just([]), st.just({}),
    st.lists(st.integers(), max_size=2), st.dictionaries(st.text(max_size=4), st.integers(), max_size=2),
)  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.sampled_from(PATHS), junk=JUNK, how=st.sampled_from(["replace", "remove", "rename"]))
def test_any_mutation_is_accepted_or_refused_with_its_place(path, junk, how, tmp_path):
    data = copy.deepcopy(SMALL)
    holder = data
    for part in path[:-1]:
        holder = holder[part]
    if how == "replace":
        holder[path[-1]] = junk
    elif how == "remove":
        del holder[path[-1]]
    elif isinstance(holder, dict):
        holder[f"{path[-1]}x"] = holder.pop(path[-1])
    file = tmp_path / "registry.yaml"
    file.write_text(json.dumps(data), encoding="utf-8")  # JSON is YAML
    message = _message(file)
    assert message is None or PLACE.match(message), message


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, len(TEXT) - 1), junk=st.text(max_size=3))
def test_any_broken_text_is_accepted_or_refused_with_its_place(at, junk, tmp_path):
    file = tmp_path / "registry.yaml"
    file.write_bytes((TEXT[:at] + junk + TEXT[at:]).encode("utf-8", "surrogatepass"))
    message = _message(file)
    assert message is None or PLACE.match(message) or "not UTF-8" in message, message


def _message(file) -> str | None:
    try:
        load_registry(file)
    except InputError as error:
        return str(error)
    return None


def _refusal(text: str, folder) -> str:
    (folder / "registry.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as error:
        load_registry(folder / "registry.yaml")
    message = str(error.value)
    assert PLACE.match(message), message
    assert "\n" not in message
    return message
