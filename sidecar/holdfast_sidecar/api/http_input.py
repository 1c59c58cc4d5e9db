"""Reading what an HTTP request says: query, body, headers. Everything wrong is an InvalidRequest that names it."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from datetime import datetime
from typing import Final, TypeVar

import msgspec
from aiohttp import web

from holdfast_kit.clock import to_ns
from holdfast_kit.durations import InvalidDuration, parse_duration
from holdfast_proto.history import Status, Trace
from holdfast_sidecar.core.errors import InvalidRequest

T = TypeVar("T")

_AT_MAX: Final = 2**63 - 1  # as far as stores count nanoseconds for queries: the year 2262
_FLAGS: Final = {"true": True, "1": True, "": True, "false": False, "0": False}
_TRACE_PARENT: Final = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


async def text_body(request: web.Request, what: str) -> str | None:
    """The raw body as a payload; an empty one is none."""
    data = await request.read()
    try:
        return data.decode() if data else None
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"{what}: expected UTF-8 text, found other bytes at {error.start}") from error


async def json_body(request: web.Request, kind: type[T]) -> T:
    """The body as `kind`; an empty one counts as an empty object."""
    data = await request.read()
    try:
        return msgspec.json.decode(data or b"{}", type=kind)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"request body: expected a JSON object as /api/v1/openapi.json tells; {error}") from error


def raw_text(raw: msgspec.Raw, what: str) -> str | None:
    """A part of a JSON body as the payload it stands for; null and nothing are no payload."""
    try:
        text = bytes(raw).decode().strip()
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"{what}: expected UTF-8 text, found other bytes") from error
    return None if text in ("", "null") else text


class Query:
    """The query of a request, each parameter once. An unknown one is refused: as a filter it would do nothing."""

    def __init__(self, request: web.Request, known: Collection[str]) -> None:
        self._values = request.query
        for name in self._values:
            if name not in known:
                listed = ", ".join(sorted(known)) or "no parameters"
                raise InvalidRequest(f"query parameter {name!r}: unknown; expected {listed}")
            if len(self._values.getall(name)) > 1 and name != "status":
                raise InvalidRequest(f"query parameter {name!r}: expected once, found it more often")

    def text(self, name: str) -> str:
        return self._values.get(name, "")

    def flag(self, name: str) -> bool:
        return self._parsed(name, False, _flag, "true or false")

    def number(self, name: str, default: int, *, most: int, least: int = 0) -> int:
        def parse(text: str) -> int:
            number = int(text)
            if not least <= number <= most:
                raise ValueError
            return number

        return self._parsed(name, default, parse, f"a number from {least} to {most}")

    def time(self, name: str) -> int:
        return self._parsed(name, 0, moment, "a time like 2026-01-31T12:00:00Z")

    def seconds(self, name: str, default: float) -> float:
        return self._parsed(name, default, _seconds, "a duration like 30s or 1m")

    def choice(self, name: str, choices: Collection[str], default: str) -> str:
        value = self._values.get(name, default)
        if value not in choices:
            raise InvalidRequest(f"query parameter {name!r}: expected {' or '.join(choices)}, found {value!r}")
        return value

    def statuses(self, name: str) -> frozenset[Status]:
        texts = [part for value in self._values.getall(name, []) for part in value.split(",") if part]
        return frozenset(status_of(text, f"query parameter {name!r}") for text in texts)

    def _parsed(self, name: str, default: T, parse: Callable[[str], T], expected: str) -> T:
        text = self._values.get(name)
        if text is None:
            return default
        try:
            return parse(text)
        except (ValueError, OverflowError) as error:
            raise InvalidRequest(f"query parameter {name!r}: expected {expected}, found {text!r}") from error


def status_of(text: str, what: str) -> Status:
    try:
        return Status[text.upper()]
    except KeyError:
        known = ", ".join(Status.__members__)
        raise InvalidRequest(f"{what}: expected {known}, found {text!r}") from None


def moment(text: str) -> int:
    """Nanoseconds of an RFC 3339 time, at least 1: zero is no bound. A plus in a query arrives as a blank."""
    return min(max(1, to_ns(datetime.fromisoformat(text.replace(" ", "+")))), _AT_MAX)


def trace_of(request: web.Request) -> Trace | None:
    """The W3C trace context of the caller; one that is malformed counts as none, as the standard asks."""
    parent = request.headers.get("traceparent", "")
    if not _TRACE_PARENT.fullmatch(parent):
        return None
    return Trace(parent, request.headers.get("tracestate") or None, parent.split("-")[2])


def _flag(text: str) -> bool:
    if text.lower() not in _FLAGS:
        raise ValueError(text)
    return _FLAGS[text.lower()]


def _seconds(text: str) -> float:
    try:
        seconds = float(text) if text.replace(".", "", 1).isdecimal() else parse_duration(text).total_seconds()
    except InvalidDuration as error:
        raise ValueError(text) from error
    if seconds < 0:
        raise ValueError(text)
    return seconds
