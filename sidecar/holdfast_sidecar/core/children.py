"""How a parent starts a child: in the same words the first time and after every crash, so the child knows them."""

from __future__ import annotations

from holdfast_proto.codec import decode_event, encode_event
from holdfast_proto.history import ChildFailed, ChildScheduled, Failure, Parent, WorkflowStarted
from holdfast_sidecar.core import keys
from holdfast_sidecar.core.messages import ChildAnswer, Message, Rewind, StartChild
from holdfast_sidecar.core.state import Record


def refused_start(message: Message, *, kind: str, message_text: str, now: int) -> ChildAnswer | None:
    """The answer that a parent gets when its child cannot be started; None for what starts no child."""
    data = message.event if isinstance(message, StartChild | Rewind) else b""
    started = decode_event(data) if data else None
    if not isinstance(started, WorkflowStarted) or started.parent is None or started.parent.execution_id is None:
        return None
    parent = started.parent
    failed = ChildFailed(at=now, seq=parent.seq, failure=Failure(kind=kind, message=message_text))
    return ChildAnswer(
        instance_id=parent.instance_id,
        execution_id=started.parent.execution_id,
        row=parent.row,
        event=encode_event(failed),
    )


def start_child_message(parent: Record, scheduled: ChildScheduled, row: int) -> StartChild:
    started = WorkflowStarted(
        at=scheduled.at,
        name=scheduled.name,
        instance_id=scheduled.instance_id,
        execution_id=keys.derived_id(parent.execution_id, parent.generation, row),
        version=scheduled.version,
        input=scheduled.input,
        parent=Parent(
            instance_id=parent.id,
            seq=scheduled.seq,
            name=parent.name,
            version=parent.label,
            execution_id=parent.execution_id,
            row=row,
        ),
        trace=scheduled.trace,
        tags=scheduled.tags,
    )
    return StartChild(instance_id=scheduled.instance_id, event=encode_event(started))
