"""The OpenAPI document of the HTTP server, at /api/v1/openapi.json. A test asks that it names every route."""

from __future__ import annotations

from typing import Final

from holdfast_proto.history import Status

Doc = dict[str, object]

_STATUSES: Final = [status.name for status in Status]
_TEXT: Final[Doc] = {"type": "string"}
_TIME: Final[Doc] = {"type": "string", "format": "date-time"}
_NUMBER: Final[Doc] = {"type": "integer"}
_FLAG: Final[Doc] = {"type": "boolean"}
_ANY: Final[Doc] = {}
_STATUS: Final[Doc] = {"type": "string", "enum": _STATUSES}
_STATUS_LIST: Final[Doc] = {"type": "array", "items": _STATUS}
_TAGS: Final[Doc] = {"type": "object", "additionalProperties": _TEXT}


def openapi(version: str) -> Doc:
    return {
        "openapi": "3.1.0",
        "info": {"title": "Holdfast", "version": version, "description": "Durable workflows through a sidecar."},
        "paths": {**_instance_paths(), **_dapr_paths(), **_health_paths()},
        "components": {
            "schemas": {"Error": _error(), "Instance": _instance(), "Accepted": _object({"id": _TEXT}, "id")},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"token": []}],
    }


# -- pieces --------------------------------------------------------------------------------------------------------


def _object(properties: Doc, *required: str, is_closed: bool = False) -> Doc:
    schema: Doc = {"type": "object", "properties": properties}
    if required:
        schema["required"] = list(required)
    if is_closed:
        schema["additionalProperties"] = False
    return schema


def _json(schema: Doc) -> Doc:
    return {"application/json": {"schema": schema}}


def _ref(name: str) -> Doc:
    return {"$ref": f"#/components/schemas/{name}"}


def _answer(text: str, schema: Doc | None = None, headers: tuple[str, ...] = ()) -> Doc:
    answer: Doc = {"description": text}
    if schema is not None:
        answer["content"] = _json(schema)
    if headers:
        answer["headers"] = {name: {"schema": _TEXT} for name in headers}
    return answer


_POLL_HEADERS: Final = ("Location", "Retry-After")


def _operation(summary: str, answers: Doc, *, parameters: list[Doc] | None = None, body: Doc | None = None) -> Doc:
    """Every operation can also fail with the one error body."""
    operation: Doc = {
        "summary": summary,
        "responses": {**answers, "default": _answer("What went wrong, with a name.", _ref("Error"))},
    }
    if parameters:
        operation["parameters"] = parameters
    if body is not None:
        operation["requestBody"] = {"content": body, "required": False}
    return operation


def _query(name: str, schema: Doc, text: str = "") -> Doc:
    return {"name": name, "in": "query", "schema": schema, "description": text}


def _path(name: str, text: str = "") -> Doc:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "schema": {"type": "string", "minLength": 1},
        "description": text,
    }


def _error() -> Doc:
    return _object(
        {"errorCode": _TEXT, "message": _TEXT, "details": {"type": "array"}}, "errorCode", "message", "details"
    )


def _instance() -> Doc:
    properties: Doc = {
        "id": _TEXT,
        "name": _TEXT,
        "status": _STATUS,
        "created_at": _TIME,
        "updated_at": _TIME,
        "scheduled_at": _TIME,
        "started_at": _TIME,
        "completed_at": _TIME,
        "execution_id": _TEXT,
        "generation": _NUMBER,
        "version": _TEXT,
        "history_length": _NUMBER,
        "history_bytes": _NUMBER,
        "inbox_length": _NUMBER,
        "is_suspended": _FLAG,
        "tags": _TAGS,
        "parent": _object({"id": _TEXT, "seq": _NUMBER}),
        "stall": _object({"reason": _TEXT, "description": _TEXT, "at": _TIME}),
        "failure": _object({"type": _TEXT, "message": _TEXT}),
        "input": _ANY,
        "output": _ANY,
        "custom_status": _ANY,
    }
    return _object(properties, "id", "name", "status", "created_at", "updated_at")


# -- /api/v1 -------------------------------------------------------------------------------------------------------


def _instance_paths() -> Doc:
    root = "/api/v1/instances"
    one = f"{root}/{{id}}"
    return {
        root: {"get": _list(), "post": _start()},
        "/api/v1/purge": {"post": _purge_all()},
        one: {"parameters": [_path("id")], "get": _get(), "delete": _purge()},
        f"{one}/history": {"parameters": [_path("id")], "get": _history()},
        f"{one}/wait": {"parameters": [_path("id")], "get": _wait()},
        f"{one}/why": {"parameters": [_path("id")], "get": _why()},
        f"{one}/keys": {"parameters": [_path("id")], "get": _keys()},
        f"{one}/events/{{name}}": {"parameters": [_path("id"), _path("name")], "post": _event()},
        f"{one}/pause": _action("Let no turn start until it is resumed", {"reason": _TEXT}),
        f"{one}/resume": _action("Go on after a pause", {"reason": _TEXT}),
        f"{one}/terminate": _action("End it, by default with its children", {"output": _ANY, "recurse": _FLAG}),
        f"{one}/rewind": _action("Repair a failed run: what failed is tried again", {"reason": _TEXT}),
        f"{one}/restart": _action("Start the same with the same input again", {"new_id": _FLAG}),
        f"{one}/rerun": _action(
            "Fork an ended run from one of its activities, timers or children",
            {"seq": _NUMBER, "id": _TEXT, "input": _ANY, "child_id": _TEXT},
            "seq",
        ),
    }


def _action(summary: str, properties: Doc, *required: str) -> Doc:
    body = _json(_object(properties, *required, is_closed=True))
    answers: Doc = {"202": _answer("Taken, durably.", _ref("Accepted"), _POLL_HEADERS)}
    return {"parameters": [_path("id")], "post": _operation(summary, answers, body=body)}


def _list() -> Doc:
    parameters = [
        _query("status", _STATUS_LIST, "any of these; also as one text with commas"),
        _query("name", _TEXT, "of the workflow"),
        _query("prefix", _TEXT, "of the id"),
        _query("created_from", _TIME),
        _query("created_to", _TIME, "exclusive"),
        _query("completed_from", _TIME),
        _query("completed_to", _TIME, "exclusive"),
        _query("order", {"type": "string", "enum": ["created", "completed"]}),
        _query("limit", {"type": "integer", "minimum": 1, "maximum": 1000}),
        _query("cursor", _TEXT, "of the page before"),
        _query("payloads", _FLAG, "with input and output"),
    ]
    page = _object(
        {"instances": {"type": "array", "items": _ref("Instance")}, "cursor": {"type": ["string", "null"]}},
        "instances",
        "cursor",
    )
    return _operation("List instances", {"200": _answer("A page, maybe short.", page)}, parameters=parameters)


def _start() -> Doc:
    properties: Doc = {
        "name": {"type": "string", "minLength": 1},
        "id": _TEXT,
        "input": _ANY,
        "version": {"type": ["string", "null"]},
        "scheduled_at": {"type": ["string", "null"], "format": "date-time"},
        "tags": _TAGS,
        "replace": {"type": ["array", "null"], "items": _STATUS},
        "keep": _STATUS_LIST,
    }
    answers: Doc = {"202": _answer("Created, durably.", _ref("Accepted"), _POLL_HEADERS)}
    return _operation("Start an instance", answers, body=_json(_object(properties, "name", is_closed=True)))


def _get() -> Doc:
    answers: Doc = {
        "200": _answer("The instance.", _ref("Instance")),
        "202": _answer("With poll: it has not ended yet.", _ref("Instance"), _POLL_HEADERS),
    }
    return _operation("Get an instance", answers, parameters=[_query("poll", _FLAG, "202 until it has ended")])


def _wait() -> Doc:
    parameters = [
        _query("until", {"type": "string", "enum": ["end", "start"]}),
        _query("timeout", _TEXT, "such as 30s; bounded by wait_max"),
    ]
    answers: Doc = {
        "200": _answer("It has ended (or started).", _ref("Instance")),
        "202": _answer("Not yet; ask again.", _ref("Instance"), _POLL_HEADERS),
    }
    return _operation("Wait for an instance to end or start", answers, parameters=parameters)


def _history() -> Doc:
    parameters = [
        _query("from", {"type": "integer", "minimum": 0}, "first row"),
        _query("limit", {"type": "integer", "minimum": 1, "maximum": 10000}),
    ]
    event = _object({"row": _NUMBER, "kind": _TEXT, "at": _TIME}, "row", "kind", "at")
    page = _object(
        {"events": {"type": "array", "items": event}, "next": {"type": ["integer", "null"]}}, "events", "next"
    )
    return _operation("Its history, decoded", {"200": _answer("Some rows.", page)}, parameters=parameters)


def _why() -> Doc:
    waits: Doc = {"type": "array", "items": _object({"kind": _TEXT, "row": _NUMBER}, "kind", "row")}
    schema = _object({"id": _TEXT, "status": _STATUS, "summary": _TEXT, "waits_for": waits}, "summary", "waits_for")
    return _operation("Why it stands where it stands", {"200": _answer("In words and as facts.", schema)})


def _keys() -> Doc:
    schema = _object({"metadata": {"type": "object"}}, "metadata")
    return _operation("Its state, key by key, as it is stored", {"200": _answer("Keys and values.", schema)})


def _event() -> Doc:
    key: Doc = {
        "name": "Idempotency-Key",
        "in": "header",
        "schema": _TEXT,
        "description": "the same key twice is one event",
    }
    answers: Doc = {"202": _answer("In its inbox, durably.", _ref("Accepted"), _POLL_HEADERS)}
    body: Doc = {"application/json": {"schema": _ANY}, "text/plain": {"schema": _TEXT}}
    return _operation("Raise an event", answers, parameters=[key], body=body)


def _purged() -> Doc:
    schema = _object({"purged": _NUMBER, "is_complete": _FLAG}, "purged", "is_complete")
    return {"200": _answer("How many went, children included.", schema)}


def _purge() -> Doc:
    parameters = [_query("recurse", _FLAG, "children too"), _query("force", _FLAG, "also when it has not ended")]
    return _operation("Delete an ended instance", _purged(), parameters=parameters)


def _purge_all() -> Doc:
    properties: Doc = {
        "status": _STATUS_LIST,
        "name": _TEXT,
        "prefix": _TEXT,
        "created_from": _TEXT,
        "created_to": _TEXT,
        "completed_from": _TEXT,
        "completed_to": _TEXT,
        "recurse": _FLAG,
    }
    body = _json(_object(properties, is_closed=True))
    return _operation("Delete the ended instances that a filter means", _purged(), body=body)


# -- what Dapr's callers know --------------------------------------------------------------------------------------


def _dapr_paths() -> Doc:
    paths: Doc = {}
    for group in ("/v1.0", "/v1.0-beta1", "/v1.0-alpha1"):
        paths.update(_dapr_group(f"{group}/workflows/{{component}}"))
    alpha = "/v1.0-alpha1/workflows/{component}/{name}/{instance}"
    parts = [_path("component"), _path("name"), _path("instance")]
    body = _json(_object({"input": _ANY}))
    start = _operation("Start, as the first alpha had it", {"202": _answer("Started.", {})}, body=body)
    get = _operation("Status, as the first alpha had it", {"202": _answer("The status.", {})})
    paths[f"{alpha}/start"] = {"parameters": parts, "post": start}
    paths[alpha] = {"parameters": parts, "get": get}
    return paths


def _dapr_group(root: str) -> Doc:
    one = f"{root}/{{instance}}"
    parts = [_path("component"), _path("instance")]
    started = _answer("Started.", _object({"instanceID": _TEXT}, "instanceID"), _POLL_HEADERS)
    payload: Doc = {"application/json": {"schema": _ANY}, "text/plain": {"schema": _TEXT}}
    start = _operation("Start", {"202": started}, parameters=[_query("instanceID", _TEXT)], body=payload)
    status = _object({"instanceID": _TEXT, "workflowName": _TEXT, "runtimeStatus": _STATUS}, "instanceID")
    answers: Doc = {"200": _answer("The status.", status), "202": _answer("With poll: not ended.", status)}
    taken: Doc = {"202": _answer("Taken.")}
    paths: Doc = {
        f"{root}/{{name}}/start": {"parameters": [_path("component"), _path("name")], "post": start},
        one: {"parameters": parts, "get": _operation("Status", answers, parameters=[_query("poll", _FLAG)])},
        f"{one}/raiseEvent/{{event}}": {
            "parameters": [*parts, _path("event")],
            "post": _operation("Raise an event", taken, body=payload),
        },
    }
    for verb in ("pause", "resume", "terminate", "purge"):
        paths[f"{one}/{verb}"] = {"parameters": parts, "post": _operation(verb.capitalize(), taken)}
    return paths


# -- health --------------------------------------------------------------------------------------------------------


def _health_paths() -> Doc:
    ready: Doc = {"204": _answer("Yes.")}
    text: Doc = {"200": {"description": "Prometheus text.", "content": {"text/plain": {"schema": _TEXT}}}}
    return {
        "/v1.0/healthz": {"get": _operation("Does it live", ready)},
        "/v1.0/healthz/outbound": {"get": _operation("Can it work: store and partitions", ready)},
        "/v1.0/metadata": {"get": _operation("What it is", {"200": _answer("Facts.", {})})},
        "/metrics": {"get": _operation("Metrics", text)},
        "/api/v1/openapi.json": {"get": _operation("This document", {"200": _answer("OpenAPI.", {})})},
    }
