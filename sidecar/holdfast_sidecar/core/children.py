"""How a parent starts a child: in the same words the first time and after every crash, so the child knows them."""

from __future__ import annotations

from holdfast_proto.codec import encode_event
from holdfast_proto.history import ChildScheduled, Parent, WorkflowStarted
from holdfast_sidecar.core import keys
from holdfast_sidecar.core.messages import StartChild
from holdfast_sidecar.core.state import Record


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
