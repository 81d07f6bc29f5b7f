"""The classes that test_architecture_sweep_1.py leaves out."""

import pytest
from support.architecture_sweep import swept_names
from support.sweep_promises import assert_right


@pytest.mark.parametrize("name", swept_names()[1::2])
def test_scores_generations_and_streams_are_those_of_the_models_own_forward_pass(name):
    assert_right(name)
