"""What the registry says of licences: a verdict on commercial use has its sentence, and silence stays unknown."""

from zoo.registry.loader import load_registry

MODELS = load_registry().models
UNKNOWN = {
    "llama-3.1-minitron-4b-width-instruct",
    "llama-3.1-minitron-4b-depth-instruct",
    "minitron-8b-fp8",
    "nemotron-4-15b",
    "llama-3.1-8b-corrected",
    "mistral-nemo-12b-corrected",
    "nemotron-nano-12b-v2",
}
"""Of these no source that was read names a licence: most were never released."""


def test_a_verdict_on_commercial_use_has_the_sentence_that_says_so():
    judged = {
        name: model.licence for name, model in MODELS.items() if model.licence and model.licence.commercial is not None
    }
    assert len(judged) > 20
    assert {name for name, licence in judged.items() if not licence.quote} == set()


def test_the_text_of_a_licence_is_quoted_only_where_its_address_is_given():
    quoting = [m.licence for m in MODELS.values() if m.licence and (m.licence.quote or "").startswith("licence text:")]
    assert quoting
    assert all(licence.url for licence in quoting)


def test_a_card_goes_before_the_text_of_its_licence():
    licence = MODELS["minitron-8b"].licence
    assert (licence.id, licence.commercial) == ("nvidia-open-model-license", False)
    assert MODELS["mistral-nemo-minitron-8b"].licence.id == licence.id
    assert MODELS["mistral-nemo-minitron-8b"].licence.commercial is True


def test_every_entry_has_a_licence_but_those_of_which_nothing_is_known():
    assert {name for name, model in MODELS.items() if model.licence is None} == UNKNOWN


def test_every_public_model_has_a_context():
    public = {name: model for name, model in MODELS.items() if model.hub or model.weights}
    assert {name for name, model in public.items() if model.architecture.max_context is None} == set()
