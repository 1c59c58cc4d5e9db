"""The one table from an error to what callers see: a gRPC status and an HTTP status. The way back is the client's."""

from __future__ import annotations

import logging
from http import HTTPStatus

from msgspec import Struct

from holdfast_kit.rpc.status import Status
from holdfast_sidecar.core.errors import HoldfastError, Kind, PayloadTooLarge

_log = logging.getLogger(__name__)

INTERNAL_NAME = "Internal"

_TABLE: dict[Kind, tuple[Status, HTTPStatus]] = {
    Kind.INVALID: (Status.INVALID_ARGUMENT, HTTPStatus.BAD_REQUEST),
    Kind.NOT_FOUND: (Status.NOT_FOUND, HTTPStatus.NOT_FOUND),
    Kind.EXISTS: (Status.ALREADY_EXISTS, HTTPStatus.CONFLICT),
    Kind.WRONG_STATE: (Status.FAILED_PRECONDITION, HTTPStatus.CONFLICT),
    Kind.EXHAUSTED: (Status.RESOURCE_EXHAUSTED, HTTPStatus.TOO_MANY_REQUESTS),
    Kind.UNAVAILABLE: (Status.UNAVAILABLE, HTTPStatus.SERVICE_UNAVAILABLE),
    Kind.DENIED: (Status.PERMISSION_DENIED, HTTPStatus.FORBIDDEN),
    Kind.UNSUPPORTED: (Status.UNIMPLEMENTED, HTTPStatus.NOT_IMPLEMENTED),
}


class Answer(Struct, frozen=True):
    """An error as a caller gets it. `name` is stable and documented; `text` is for people."""

    name: str
    text: str
    code: Status
    http: HTTPStatus


def answer_to(error: Exception) -> Answer:
    """What the caller is told. An error that is not for callers keeps its text to the log and gives only its type."""
    if isinstance(error, HoldfastError):
        code, http = _TABLE[error.kind]
        if isinstance(error, PayloadTooLarge):
            http = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        return Answer(error.name, str(error), code, http)
    _log.error("a call failed for a reason of ours", exc_info=error)
    text = f"internal error ({type(error).__name__}); the sidecar's log has the details"
    return Answer(INTERNAL_NAME, text, Status.INTERNAL, HTTPStatus.INTERNAL_SERVER_ERROR)
