"""Who is at the other end of a work item stream.

    open_stream ---> MICROSOFT or DAPR    by the port, the request's fields, or the call's metadata
                \\-> UNKNOWN ---> MICROSOFT or DAPR    by the first answer that shows it (`evidence`)
                           \\---> UNKNOWN              answers that show nothing: the client never says more

A known dialect never changes. An unknown one is served with the subset that all clients read alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from holdfast_proto.durabletask import dapr_pb2, microsoft_pb2
from holdfast_sidecar.api.durabletask import dapr, evidence, microsoft, shared
from holdfast_sidecar.api.durabletask.model import Dialect, Words
from holdfast_sidecar.api.durabletask.parsing import parsed

_SUBJECT: Final = "work item stream"
WORDS: Final[Mapping[Dialect, Words]] = {
    Dialect.MICROSOFT: microsoft,
    Dialect.DAPR: dapr,
    Dialect.UNKNOWN: shared,
}
# These two answer a rewind with a repaired history; the Java and Go clients fail over such a turn.
_REWINDING_AGENTS: Final = ("grpc-python", "grpc-node", "durabletask-python", "durabletask-js")


class Filters(Struct, frozen=True, kw_only=True):
    """The only names a worker wants, each with its versions (none: any). An empty mapping: nothing of that sort."""

    workflows: dict[str, frozenset[str]] = {}
    activities: dict[str, frozenset[str]] = {}


class Stream(Struct, frozen=True, kw_only=True):
    """What is known of one worker's stream."""

    dialect: Dialect
    workflows_max: int = 0  # items at once; 0 is not said
    activities_max: int = 0
    filters: Filters | None = None  # None: everything
    caches_history: bool = False
    ping: bytes = b""  # the frame that keeps an idle stream alive; empty: this client breaks on any
    agents: tuple[str, ...] = ()
    worker_id: str = ""

    @property
    def words(self) -> Words:
        return WORDS[self.dialect]

    @property
    def can_rewind(self) -> bool:
        """It can be sent a rewind to repair. For the others the engine repairs the history itself."""
        return self.dialect is Dialect.MICROSOFT and any(agent.startswith(_REWINDING_AGENTS) for agent in self.agents)


def open_stream(
    request: bytes, *, metadata: Mapping[str, str] | None = None, port: Dialect = Dialect.UNKNOWN
) -> Stream:
    """`port` is the family that the listening port is for, if it is for one. Raises BadRequest."""
    microsoft_view = parsed(microsoft_pb2.GetWorkItemsRequest, request, _SUBJECT)
    dapr_view = parsed(dapr_pb2.GetWorkItemsRequest, request, _SUBJECT)
    keys = metadata or {}
    known = (port, _by_fields(microsoft_view, dapr_view), _by_metadata(keys))
    return Stream(
        dialect=next((dialect for dialect in known if dialect is not Dialect.UNKNOWN), Dialect.UNKNOWN),
        workflows_max=max(0, microsoft_view.max_concurrent_orchestration_work_items),
        activities_max=max(0, microsoft_view.max_concurrent_activity_work_items),
        filters=_filters(microsoft_view),
        caches_history=dapr_pb2.WORKER_CAPABILITY_STATEFUL_HISTORY in dapr_view.capabilities,
        ping=_ping(microsoft_view, dapr_view),
        agents=tuple(keys[key] for key in ("x-user-agent", "user-agent") if key in keys),
        worker_id=microsoft_view.worker_instance_id or keys.get("workerid", ""),
    )


def after_answer(stream: Stream, answer: bytes) -> Stream:
    """The stream as it is known after an answer to a turn."""
    if stream.dialect is not Dialect.UNKNOWN:
        return stream
    shown = evidence.dialect_of(answer)
    return stream if shown is Dialect.UNKNOWN else replace(stream, dialect=shown)


def _by_fields(microsoft_view: microsoft_pb2.GetWorkItemsRequest, dapr_view: dapr_pb2.GetWorkItemsRequest) -> Dialect:
    if dapr_view.capabilities:
        return Dialect.DAPR
    if _has_later_fields(microsoft_view) or microsoft_view.max_concurrent_entity_work_items:
        return Dialect.MICROSOFT
    return Dialect.UNKNOWN


def _by_metadata(metadata: Mapping[str, str]) -> Dialect:
    if "taskhub" in metadata or metadata.get("x-user-agent", "").startswith("durabletask-"):
        return Dialect.MICROSOFT
    if "dapr-api-token" in metadata:
        return Dialect.DAPR
    return Dialect.UNKNOWN


def _has_later_fields(request: microsoft_pb2.GetWorkItemsRequest) -> bool:
    return bool(request.capabilities or request.HasField("work_item_filters") or request.worker_instance_id)


def _ping(microsoft_view: microsoft_pb2.GetWorkItemsRequest, dapr_view: dapr_pb2.GetWorkItemsRequest) -> bytes:
    if dapr_pb2.WORKER_CAPABILITY_HEALTH_PING in dapr_view.capabilities:
        return dapr.health_ping()
    limits = (
        microsoft_view.max_concurrent_orchestration_work_items
        or microsoft_view.max_concurrent_activity_work_items
        or microsoft_view.max_concurrent_entity_work_items
    )
    return microsoft.health_ping() if limits or _has_later_fields(microsoft_view) else b""


def _filters(request: microsoft_pb2.GetWorkItemsRequest) -> Filters | None:
    if not request.HasField("work_item_filters"):
        return None
    wanted = request.work_item_filters
    return Filters(
        workflows={entry.name: frozenset(entry.versions) for entry in wanted.orchestrations},
        activities={entry.name: frozenset(entry.versions) for entry in wanted.activities},
    )
