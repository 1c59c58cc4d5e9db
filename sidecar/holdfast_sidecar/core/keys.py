"""Names: of activity actors, of children, of state keys, and what an instance id may look like."""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

from holdfast_sidecar.core.errors import InvalidInstanceId, InvalidRequest
from holdfast_sidecar.core.limits import Limits

WORKFLOW_ACTOR: Final = "holdfast.internal.wfengine.workflow"
ACTIVITY_ACTOR: Final = "holdfast.internal.wfengine.activity"

WAKE: Final = "wake"
START: Final = "start"
RETENTION: Final = "retention"
TIMER_PREFIX: Final = "timer-"
SEND_PREFIX: Final = "send-"
RUN_PREFIX: Final = "run-"


def activity_actor_id(instance_id: str, seq: int) -> str:
    return f"{instance_id}#{seq}"


def child_id(parent_id: str, seq: int, generation: int = 1) -> str:
    """Of a child that its parent's code gave no id. A later generation must not meet the children of an earlier one."""
    return f"{parent_id}:{seq:04x}" if generation == 1 else f"{parent_id}:{generation:x}:{seq:04x}"


def timer_name(seq: int) -> str:
    return f"{TIMER_PREFIX}{seq}"


def send_name(number: int) -> str:
    return f"{SEND_PREFIX}{number}"


def run_name(execution_id: str, row: int | str) -> str:
    return f"{RUN_PREFIX}{execution_id}-{row}"


def derived_id(*parts: object) -> str:
    """An id in the shape of a UUID that the same parts always give: what a crash repeats must get the same name."""
    digest = blake2b("\0".join(map(str, parts)).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:]}"


def check_instance_id(instance_id: str, limits: Limits) -> None:
    if not instance_id:
        raise InvalidInstanceId(
            "instance id: expected at least one character, found none; leave it out to get one made"
        )
    if len(instance_id) > limits.instance_id_length_max:
        raise InvalidInstanceId(
            f"instance id {instance_id[:24]!r}…: expected at most {limits.instance_id_length_max} characters, "
            f"found {len(instance_id)}; use a shorter id"
        )
    if not instance_id.isprintable():
        raise InvalidInstanceId(
            f"instance id {instance_id!r}: expected printable characters only; leave control characters out"
        )


def check_name(what: str, name: str, limits: Limits) -> None:
    if not name:
        raise InvalidRequest(f"{what} name: expected at least one character, found none")
    if len(name) > limits.name_length_max:
        raise InvalidRequest(
            f"{what} name {name[:24]!r}…: expected at most {limits.name_length_max} characters, found {len(name)}"
        )
