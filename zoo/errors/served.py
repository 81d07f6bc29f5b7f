"""Errors in asking a model that is served elsewhere: the address, the server, what it serves and what it cannot tell."""

from __future__ import annotations

from zoo.errors.base import EnvironmentIssue, InputError


class InvalidEndpoint(InputError):
    """The address of a served model is missing, is no http or https URL, or has a password or a query in it."""


class ModelNotServed(InputError):
    """The server serves other models than the one that is asked for."""


class NoPromptLogprobs(InputError):
    """The server tells no log-probabilities of a prompt's tokens, or wrong ones, so nothing can be scored by it."""


class ServedTooLong(InputError, ValueError):
    """A request is longer than the context with which the server runs the model; it is never sent, so never cut there."""


class ServerUnreachable(EnvironmentIssue):
    """No connection to the server, or none that lasts, after several tries."""


class ServerFailing(EnvironmentIssue):
    """The server answers with faults of its own, says that it is too busy, or breaks its answers off, try after try."""


class ServerRefused(EnvironmentIssue):
    """The server refuses a request: no key or a wrong one, a field that it does not take, another address."""


class PromptChanged(EnvironmentIssue):
    """The server read another prompt than the one sent: it adds a token, cuts, or cuts text into other tokens."""
