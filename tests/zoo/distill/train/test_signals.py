"""The first signal is a wish, the same one come twice is still one, a later one is an order."""

import signal
import threading

import pytest

from zoo.distill.train import signals
from zoo.distill.train.signals import STOPPING, stop_request


@pytest.mark.parametrize("number", STOPPING)
def test_a_signal_is_noted_and_its_handler_comes_back(number):
    before = signal.getsignal(number)
    with stop_request() as request:
        assert request.signal is None
        signal.raise_signal(number)
        assert request.signal == number.name
    assert signal.getsignal(number) is before


def test_what_the_terminal_sends_and_torchrun_hands_on_is_one_wish():
    with stop_request() as request:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
    assert request.signal == "SIGINT"


def test_a_later_signal_has_its_usual_effect(monkeypatch):
    monkeypatch.setattr(signals, "ONE_WISH", 0.0)
    with stop_request():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_while_lifted_a_signal_has_its_usual_effect_and_is_noted_again_after():
    with stop_request() as request:
        with pytest.raises(KeyboardInterrupt), request.lifted():
            signal.raise_signal(signal.SIGINT)
        assert request.signal is None
        signal.raise_signal(signal.SIGINT)
    assert request.signal == "SIGINT"


def test_in_another_thread_nothing_is_listened_to():
    seen = []

    def work():
        with stop_request() as request, request.lifted():
            seen.append(request.signal)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [None]
