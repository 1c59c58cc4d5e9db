"""Every kind of error has one status on each way in, and nothing of ours leaks."""

import logging

import pytest

from holdfast_kit.rpc.status import Status
from holdfast_sidecar.api.status import answer_to
from holdfast_sidecar.core.errors import (
    HoldfastError,
    InboxFull,
    InstanceExists,
    InstanceNotFound,
    InvalidRequest,
    Kind,
    NotOwner,
    PayloadTooLarge,
    WrongState,
)


@pytest.mark.parametrize(
    ("error", "code", "http"),
    [
        (InvalidRequest("x"), Status.INVALID_ARGUMENT, 400),
        (InstanceNotFound("x"), Status.NOT_FOUND, 404),
        (InstanceExists("x"), Status.ALREADY_EXISTS, 409),
        (WrongState("x"), Status.FAILED_PRECONDITION, 409),
        (InboxFull("x"), Status.RESOURCE_EXHAUSTED, 429),
        (NotOwner("x"), Status.UNAVAILABLE, 503),
        (PayloadTooLarge("x"), Status.INVALID_ARGUMENT, 413),
    ],
)
def test_an_error_has_one_status_on_each_way_in(error: HoldfastError, code: Status, http: int) -> None:
    answer = answer_to(error)
    assert (answer.name, answer.code, answer.http) == (type(error).__name__, code, http)
    assert answer.text == str(error)


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_has_a_status(kind: Kind) -> None:
    error = HoldfastError("x")
    error.kind = kind
    assert 400 <= answer_to(error).http < 600


def test_a_foreign_error_keeps_its_text_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        answer = answer_to(KeyError("secret"))
    assert (answer.name, answer.code, answer.http) == ("Internal", Status.INTERNAL, 500)
    assert "KeyError" in answer.text
    assert "secret" not in answer.text
    assert "secret" in caplog.text
