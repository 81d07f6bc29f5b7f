"""`lineage.pruned` names the model that was trained, and `lineage.trained_on` reaches what is made from a model."""

import pytest
from support.recovering import DISTILLED, PRUNED, family_file

from zoo.errors import InvalidRegistry
from zoo.registry.loader import load_registry


@pytest.fixture
def registry(tmp_path, monkeypatch):
    def load(**changes):
        monkeypatch.setenv("MINIZOO_REGISTRY", str(family_file(tmp_path, **changes)))
        return load_registry()

    return load


def test_a_distilled_model_names_the_pruned_one(registry):
    assert registry().models[DISTILLED].lineage.pruned == PRUNED


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"distilled": {"pruned": "my-prunde"}}, "Did you mean 'my-pruned'?"),
        ({"distilled": {"pruned": "nano-teacher"}}, "not pruned alone"),
        ({"distilled": {"relation": ["distilled"]}}, "only a pruned and distilled model has one"),
        ({"pruned": {"relation": ["pruned", "distilled"]}}, "not pruned alone"),
        ({"pruned": {"parent": None, "parent_elsewhere": "another"}}, "cut from another parent"),
        ({"distilled": {"trained_on": {"tasks": [], "source": "mine"}}}, "tasks"),
        ({"distilled": {"trained_on": {"tasks": ["wikitext"], "source": "nowhere"}}}, "there is no source 'nowhere'"),
    ],
)
def test_what_is_wrong_is_said(registry, changes, told):
    with pytest.raises(InvalidRegistry, match=r"mine\.yaml:1:\d+") as refused:
        registry(**changes)
    assert told in str(refused.value)


def test_other_dimensions_than_those_trained_are_refused(registry):
    dims = registry().models[DISTILLED].architecture.model_dump(mode="json", exclude_none=True)
    with pytest.raises(InvalidRegistry, match="training changes none"):
        registry(architecture=dims | {"max_context": 256})


def test_a_child_inherits_what_its_parent_was_trained_on(registry):
    found = registry(
        pruned={"trained_on": {"tasks": ["piqa"], "source": "mine"}},
        distilled={"trained_on": {"tasks": ["wikitext"], "source": "mine"}},
    )
    assert found.trained_on(DISTILLED) == {"wikitext"}
    assert found.trained_on(PRUNED) == {"piqa"}
    assert found.trained_on("nano-teacher") == frozenset()
