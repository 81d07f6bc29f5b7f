"""Every refusal of the hub is one paragraph with a cause of its own, before the first byte of a weight."""

import pytest
from support.fake_hub import FakeHub, Repository

from harness.records.provenance import subject_of
from zoo.checkpoint.hub import client
from zoo.checkpoint.locate import locate, outline
from zoo.errors import (
    AdapterAlone,
    ConfigMissing,
    DiskFull,
    HubBusy,
    HubFailing,
    HubUnreachable,
    RepositoryGated,
    RepositoryMissing,
    TokenRefused,
    WeightsMissing,
)

NAME = "someone/tiny"


@pytest.fixture
def hub(online, whole, monkeypatch):
    """A hub with one model, which a test makes behave; nothing waits."""
    monkeypatch.setattr(client, "TRIES", 1)
    with FakeHub(repositories=[Repository(NAME, dict(whole))]) as hub:
        online(hub)
        yield hub


@pytest.fixture
def model(hub):
    return hub.find("models", NAME)


def weights_asked(hub):
    return [name for name in hub.asked if name.endswith((".safetensors", ".bin"))]


@pytest.mark.parametrize(
    ("token", "says"),
    [
        (None, ["not logged in", "huggingface.co/someone/tiny", "hf auth login", "config.json"]),
        ("stranger", ["has not accepted its licence", "huggingface.co/someone/tiny", "config.json"]),
        ("waiting", ["authors have not answered your request", "huggingface.co/someone/tiny"]),
    ],
)
def test_a_gated_model_says_what_is_missing_and_where(hub, model, monkeypatch, token, says):
    model.gated, model.pending, model.admitted = "manual", {"waiting"}, {"friend"}
    if token:
        monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(RepositoryGated) as refused:
        outline(NAME)
    assert all(words in str(refused.value) for words in says)
    assert hub.asked == []


def test_a_gated_model_whose_licence_was_accepted_is_fetched(model, monkeypatch):
    model.gated, model.admitted = "auto", {"friend"}
    monkeypatch.setenv("HF_TOKEN", "friend")
    assert (locate(NAME).folder / "model.safetensors").is_file()


def test_a_token_that_the_hub_does_not_know_is_named_as_the_cause(hub, monkeypatch):
    hub.invalid_tokens.add("stale")
    monkeypatch.setenv("HF_TOKEN", "stale")
    with pytest.raises(TokenRefused, match="does not know the token"):
        outline(NAME)


def test_a_model_that_is_gone_and_one_that_is_private_are_told_by_whether_one_is_logged_in(model, monkeypatch):
    model.private_to = {"owner"}
    for name in (NAME, "someone/gone"):
        with pytest.raises(RepositoryMissing, match=r"or it is private.*hf auth login"):
            outline(name)
    monkeypatch.setenv("HF_TOKEN", "stranger")
    with pytest.raises(RepositoryMissing, match="that the account of this machine's token may see"):
        outline(NAME)
    monkeypatch.setenv("HF_TOKEN", "owner")
    assert outline(NAME).name == NAME


@pytest.mark.usefixtures("hub")
def test_a_name_near_one_of_the_registry_is_suggested():
    with pytest.raises(RepositoryMissing, match="Did you mean 'nvidia/Minitron-8B-Base'"):
        outline("nvidia/Minitron-9B-Base")


def test_a_disabled_model_is_no_network_fault(model):
    model.disabled = True
    with pytest.raises(RepositoryMissing, match="disabled"):
        outline(NAME)


def test_a_renamed_model_is_followed_told_and_kept_with_what_was_asked(hub, caplog):
    hub.add(Repository("someone/old-name", moved_to=NAME))
    checkpoint = locate("someone/old-name")
    assert "someone/old-name is called someone/tiny on the hub now" in caplog.text
    assert (checkpoint.name, checkpoint.hub_id) == ("someone/old-name", NAME)
    hub.down = True
    assert locate("someone/old-name") == checkpoint
    subject = subject_of(checkpoint)
    assert (subject.source, subject.renamed_to, subject.revision) == ("someone/old-name", NAME, checkpoint.revision)


def test_a_revision_that_the_hub_does_not_have_is_named(hub):
    hub.add(Repository("nvidia/Minitron-8B-Base", {"config.json": b"{}"}))
    with pytest.raises(RepositoryMissing, match="no revision 70fa5997afc4"):
        outline("minitron-8b")


def test_a_rate_limit_is_waited_for_as_it_says_and_told(model, caplog, monkeypatch):
    waits = []
    monkeypatch.setattr(client, "LONGEST_WAIT", 30.0)
    monkeypatch.setattr(client.time, "sleep", waits.append)
    model.busy, model.retry_after = 2, "7"
    assert outline(NAME).revision == model.commit
    assert waits == [7.5, 7.5]
    assert "going on in 8 s" in caplog.text


@pytest.mark.parametrize(("after", "reset", "says"), [("3600", 1, "60 minutes"), (None, 200, "3 minutes")])
def test_a_rate_limit_that_lasts_is_refused_with_how_long_to_wait(hub, model, after, reset, says):
    model.busy, model.retry_after, model.rate_limit_seconds = 99, after, reset
    with pytest.raises(HubBusy, match=says):
        outline(NAME)
    assert len(hub.requests) <= 2


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_fault_of_the_hub_is_its_own_cause_and_a_short_one_is_passed_over(model, monkeypatch, status):
    model.failing, model.failing_status = 99, status
    with pytest.raises(HubFailing, match=str(status)):
        outline(NAME)
    monkeypatch.setattr(client, "TRIES", 3)
    monkeypatch.setattr(client.time, "sleep", lambda _: None)
    model.failing = 2
    assert outline(NAME).name == NAME


def test_a_page_that_is_no_hub_is_told_from_a_hub(hub, monkeypatch):
    from huggingface_hub import constants

    from zoo.checkpoint.hub import reachable

    monkeypatch.setattr(constants, "ENDPOINT", f"{hub.endpoint}/login")
    reachable.ask_again()
    with pytest.raises((HubFailing, RepositoryMissing)):
        outline(NAME)


def test_a_repository_without_config_or_with_an_adapter_alone_is_no_model(hub, model):
    weights = model.files.pop("model.safetensors")
    model.files |= {"adapter_config.json": b'{"peft_type": "LORA", "base_model_name_or_path": "o/base"}'}
    model.files |= {"adapter_model.safetensors": weights}
    with pytest.raises(AdapterAlone, match="o/base"):
        outline(NAME)
    hub.add(Repository("someone/empty", {"README.md": b""}))
    with pytest.raises(ConfigMissing, match=r"no config\.json"):
        outline("someone/empty")
    assert weights_asked(hub) == []


def test_an_index_whose_shards_the_repository_lacks_is_refused_before_the_others_are_fetched(hub, sharded):
    hub.add(Repository("someone/sharded", {k: v for k, v in sharded.items() if "00002-of" not in k}))
    with pytest.raises(WeightsMissing, match="lacks 1 of the"):
        outline("someone/sharded")
    assert weights_asked(hub) == []


def test_no_room_is_said_before_the_first_byte_with_what_is_needed_and_what_there_is(hub, model, monkeypatch):
    from zoo.checkpoint.hub import files

    monkeypatch.setattr(files, "free_bytes", lambda _: 1000)
    with pytest.raises(DiskFull, match="HF_HOME"):
        outline(NAME)
    assert weights_asked(hub) == []
    monkeypatch.setattr(files, "free_bytes", lambda _: len(model.files["model.safetensors"]))
    locate(NAME)
    monkeypatch.setattr(files, "free_bytes", lambda _: 0)
    locate(NAME)  # nothing is missing


def test_a_cached_model_runs_though_the_hub_refuses_it_by_now(hub, model, caplog):
    folder = locate(NAME).folder
    for change in ({"gated": "auto"}, {"failing": 99}, {"private_to": set()}):
        for name, value in change.items():
            setattr(model, name, value)
        assert locate(NAME).folder == folder
    assert "is taken from the hub's cache" in caplog.text
    hub.down = True
    assert locate(NAME).folder == folder


def test_without_an_answer_the_hub_is_out_of_reach(hub):
    outline(NAME)
    hub.down = True
    with pytest.raises(HubUnreachable, match="no answer for someone/tiny"):
        outline(NAME)


def test_a_config_that_contradicts_the_registrys_entry_is_told(hub, whole, caplog):
    from zoo.registry.loader import load_registry

    entry = load_registry().resolve("minitron-8b")
    hub.add(Repository(entry.hub.id, dict(whole), commit=entry.hub.revision))
    assert locate("minitron-8b").revision == entry.hub.revision
    assert "contradicts the registry's entry: " in caplog.text
    assert "hidden_size" in caplog.text
