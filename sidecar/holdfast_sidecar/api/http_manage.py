"""Our own routes under /api/v1: everything the engine can do with instances, described in /api/v1/openapi.json."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from urllib.parse import quote

import msgspec
from aiohttp import web
from msgspec import UNSET, Raw, Struct, UnsetType

from holdfast_kit.clock import Clock, to_ns
from holdfast_proto.codec import decode_event
from holdfast_sidecar.actors.engine import Engine, StartRequest
from holdfast_sidecar.actors.host import Host
from holdfast_sidecar.api.http_errors import RETRY_AFTER, json_response
from holdfast_sidecar.api.http_input import Query, json_body, moment, raw_text, status_of, text_body, trace_of
from holdfast_sidecar.api.http_json import event_json, fact_json, instance_json
from holdfast_sidecar.api.why import explain
from holdfast_sidecar.core.errors import InstanceNotFound, InvalidRequest
from holdfast_sidecar.core.messages import ReusePolicy
from holdfast_sidecar.core.state import Filter, Stored, View
from holdfast_sidecar.stores.inspect import inspect

ROOT: Final = "/api/v1"
PAGE_DEFAULT, PAGE_MAX = 50, 1_000
HISTORY_DEFAULT, HISTORY_MAX = 1_000, 10_000
WAIT_DEFAULT: Final = 30.0  # seconds
_ROW_MAX: Final = 2**31
_FILTERS: Final = ("status", "name", "prefix", "created_from", "created_to", "completed_from", "completed_to")


class StartBody(Struct, kw_only=True, forbid_unknown_fields=True):
    name: str
    id: str = ""
    input: Raw = Raw(b"")
    version: str | None = None
    scheduled_at: datetime | None = None
    tags: dict[str, str] = {}
    replace: tuple[str, ...] | None = None  # statuses in which an instance of this id gives way
    keep: tuple[str, ...] = ()  # statuses in which it stays, and the start is answered as done


class ReasonBody(Struct, kw_only=True, forbid_unknown_fields=True):
    reason: str | None = None


class TerminateBody(Struct, kw_only=True, forbid_unknown_fields=True):
    output: Raw = Raw(b"")
    recurse: bool = True


class RestartBody(Struct, kw_only=True, forbid_unknown_fields=True):
    new_id: bool = False


class RerunBody(Struct, kw_only=True, forbid_unknown_fields=True):
    seq: int
    id: str = ""
    input: Raw | UnsetType = UNSET  # left out: the recorded one
    child_id: str = ""


class PurgeBody(Struct, kw_only=True, forbid_unknown_fields=True):
    status: tuple[str, ...] = ()
    name: str = ""
    prefix: str = ""
    created_from: str = ""
    created_to: str = ""
    completed_from: str = ""
    completed_to: str = ""
    recurse: bool = False


class Instances:
    """`wait_max` bounds one long poll and one bulk purge, in seconds."""

    def __init__(self, engine: Engine, host: Host, clock: Clock, *, wait_max: float) -> None:
        self._engine = engine
        self._host = host
        self._clock = clock
        self._wait_max = wait_max

    def routes(self) -> list[web.RouteDef]:
        all_, one = f"{ROOT}/instances", f"{ROOT}/instances/{{id}}"
        return [
            web.get(all_, self._list),
            web.post(all_, self._start),
            web.post(f"{ROOT}/purge", self._purge_all),
            web.get(one, self._get),
            web.delete(one, self._purge),
            web.get(f"{one}/history", self._history),
            web.get(f"{one}/wait", self._wait),
            web.get(f"{one}/why", self._why),
            web.get(f"{one}/keys", self._keys),
            web.post(f"{one}/events/{{name}}", self._raise_event),
            web.post(f"{one}/pause", self._pause),
            web.post(f"{one}/resume", self._resume),
            web.post(f"{one}/terminate", self._terminate),
            web.post(f"{one}/rewind", self._rewind),
            web.post(f"{one}/restart", self._restart),
            web.post(f"{one}/rerun", self._rerun),
        ]

    # -- looking ---------------------------------------------------------------------------------------------------

    async def _list(self, request: web.Request) -> web.StreamResponse:
        query = Query(request, (*_FILTERS, "order", "limit", "cursor", "payloads"))
        wanted = Filter(
            statuses=query.statuses("status"),
            name=query.text("name"),
            id_prefix=query.text("prefix"),
            created_from=query.time("created_from"),
            created_to=query.time("created_to"),
            completed_from=query.time("completed_from"),
            completed_to=query.time("completed_to"),
            by_completion=query.choice("order", ("created", "completed"), "created") == "completed",
        )
        limit = query.number("limit", PAGE_DEFAULT, least=1, most=PAGE_MAX)
        page = await self._engine.query(
            wanted, limit=limit, cursor=query.text("cursor"), payloads=query.flag("payloads")
        )
        body = {"instances": [instance_json(view) for view in page.views], "cursor": page.cursor or None}
        return json_response(body)

    async def _get(self, request: web.Request) -> web.StreamResponse:
        query = Query(request, ("poll",))
        view = await self._viewed(_id(request))
        return _instance_response(view, is_polled=query.flag("poll"))

    async def _wait(self, request: web.Request) -> web.StreamResponse:
        """200 once the condition holds, 202 when the time is over first."""
        query = Query(request, ("until", "timeout"))
        for_end = query.choice("until", ("end", "start"), "end") == "end"
        seconds = min(query.seconds("timeout", WAIT_DEFAULT), self._wait_max)
        instance_id = _id(request)
        bound = asyncio.timeout(seconds)
        try:
            async with bound:
                view = await self._engine.wait(instance_id, for_end=for_end)
        except TimeoutError:
            if not bound.expired():
                raise
            return _instance_response(await self._viewed(instance_id), is_polled=True)
        if view is None:
            raise InstanceNotFound(instance_id)
        return json_response(instance_json(view))

    async def _history(self, request: web.Request) -> web.StreamResponse:
        query = Query(request, ("from", "limit"))
        first = query.number("from", 0, most=_ROW_MAX)
        limit = query.number("limit", HISTORY_DEFAULT, least=1, most=HISTORY_MAX)
        rows = await self._engine.history(_id(request), first=first, limit=limit)
        events = [event_json(row, decode_event(data)) for row, data in enumerate(rows, first)]
        return json_response({"events": events, "next": first + len(rows) if len(rows) == limit else None})

    async def _why(self, request: web.Request) -> web.StreamResponse:
        Query(request, ())
        stored = await self._stored(_id(request))
        partition = self._host.partition_of(stored.record.id)
        body = explain(stored, self._host.pool.workers, partition=partition, now=self._clock.now_ns())
        return json_response(body)

    async def _keys(self, request: web.Request) -> web.StreamResponse:
        Query(request, ())
        return json_response(inspect(await self._stored(_id(request)), fact_json))

    # -- acting ----------------------------------------------------------------------------------------------------

    async def _start(self, request: web.Request) -> web.StreamResponse:
        body = await json_body(request, StartBody)
        start = StartRequest(
            name=body.name,
            instance_id=body.id,
            version=body.version,
            input=raw_text(body.input, "input"),
            scheduled_at=_scheduled(body.scheduled_at),
            tags=body.tags,
            trace=trace_of(request),
            policy=_policy(body),
        )
        return _accepted(await self._engine.start(start))

    async def _raise_event(self, request: web.Request) -> web.StreamResponse:
        """The body is the payload as it is. Sending with one Idempotency-Key twice is one event."""
        source = request.headers.get("Idempotency-Key", "")
        payload = await text_body(request, "event payload")
        await self._engine.raise_event(_id(request), request.match_info["name"], payload, source=source)
        return _accepted(_id(request))

    async def _pause(self, request: web.Request) -> web.StreamResponse:
        body = await json_body(request, ReasonBody)
        await self._engine.suspend(_id(request), reason=body.reason)
        return _accepted(_id(request))

    async def _resume(self, request: web.Request) -> web.StreamResponse:
        body = await json_body(request, ReasonBody)
        await self._engine.resume(_id(request), reason=body.reason)
        return _accepted(_id(request))

    async def _terminate(self, request: web.Request) -> web.StreamResponse:
        body = await json_body(request, TerminateBody)
        output = raw_text(body.output, "output")
        await self._engine.terminate(_id(request), output=output, recurse=body.recurse)
        return _accepted(_id(request))

    async def _rewind(self, request: web.Request) -> web.StreamResponse:
        body = await json_body(request, ReasonBody)
        await self._engine.rewind(_id(request), reason=body.reason)
        return _accepted(_id(request))

    async def _restart(self, request: web.Request) -> web.StreamResponse:
        body = await json_body(request, RestartBody)
        return _accepted(await self._engine.restart(_id(request), with_new_id=body.new_id))

    async def _rerun(self, request: web.Request) -> web.StreamResponse:
        body = await json_body(request, RerunBody)
        payload = UNSET if body.input is UNSET else raw_text(body.input, "input")
        new_id = await self._engine.rerun(
            _id(request), body.seq, new_id=body.id, payload=payload, new_child_id=body.child_id
        )
        return _accepted(new_id)

    async def _purge(self, request: web.Request) -> web.StreamResponse:
        query = Query(request, ("recurse", "force"))
        instance_id = _id(request)
        purged = await self._engine.purge(instance_id, recurse=query.flag("recurse"), is_forced=query.flag("force"))
        if not purged.count:
            raise InstanceNotFound(instance_id)
        return json_response({"purged": purged.count, "is_complete": purged.is_complete})

    async def _purge_all(self, request: web.Request) -> web.StreamResponse:
        """Ended instances only, and only within a filter: purging everything must be meant, so it must be said."""
        body = await json_body(request, PurgeBody)
        wanted = _purge_filter(body)
        purged = await self._engine.purge_all(wanted, recurse=body.recurse, seconds_max=self._wait_max)
        return json_response({"purged": purged.count, "is_complete": purged.is_complete})

    async def _viewed(self, instance_id: str) -> View:
        view = await self._engine.get(instance_id)
        if view is None:
            raise InstanceNotFound(instance_id)
        return view

    async def _stored(self, instance_id: str) -> Stored:
        stored = await self._engine.inspect(instance_id)
        if stored is None:
            raise InstanceNotFound(instance_id)
        return stored


def _id(request: web.Request) -> str:
    return request.match_info["id"]


def _location(instance_id: str) -> str:
    return f"{ROOT}/instances/{quote(instance_id, safe='')}?poll=true"


def _accepted(instance_id: str) -> web.Response:
    headers = {"Location": _location(instance_id), "Retry-After": RETRY_AFTER}
    return json_response({"id": instance_id}, status=202, headers=headers)


def _instance_response(view: View, *, is_polled: bool) -> web.Response:
    if not is_polled or view.record.status.is_terminal:
        return json_response(instance_json(view))
    headers = {"Location": _location(view.record.id), "Retry-After": RETRY_AFTER}
    return json_response(instance_json(view), status=202, headers=headers)


def _scheduled(at: datetime | None) -> int | None:
    if at is None:
        return None
    try:
        return max(0, to_ns(at))
    except ValueError as error:
        raise InvalidRequest(f"scheduled_at: {error}") from error


def _policy(body: StartBody) -> ReusePolicy:
    kept = frozenset(status_of(text, "keep") for text in body.keep)
    if body.replace is None:
        return ReusePolicy(kept=kept)
    return ReusePolicy(replaceable=frozenset(status_of(text, "replace") for text in body.replace), kept=kept)


def _purge_filter(body: PurgeBody) -> Filter:
    given: Sequence[object] = msgspec.structs.astuple(body)[:-1]
    if not any(given):
        raise InvalidRequest(f"purge: expected at least one of {', '.join(_FILTERS)}, found none")
    return Filter(
        statuses=frozenset(status_of(text, "status") for text in body.status),
        name=body.name,
        id_prefix=body.prefix,
        created_from=_at("created_from", body.created_from),
        created_to=_at("created_to", body.created_to),
        completed_from=_at("completed_from", body.completed_from),
        completed_to=_at("completed_to", body.completed_to),
    )


def _at(name: str, text: str) -> int:
    if not text:
        return 0
    try:
        return moment(text)
    except ValueError as error:
        raise InvalidRequest(f"{name}: expected a time like 2026-01-31T12:00:00Z, found {text!r}") from error
