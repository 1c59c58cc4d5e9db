"""What a client can do wrong before the engine is asked."""

from __future__ import annotations

from holdfast_sidecar.core.errors import InvalidRequest


class BadRequest(InvalidRequest):
    """The bytes or the fields of a request are not what the protocol says. Nothing was changed."""

    def __init__(self, subject: str, *, expected: str, found: str) -> None:
        super().__init__(f"{subject}: expected {expected}, found {found}")
        self.subject = subject
        self.expected = expected
        self.found = found
