"""What stands still in a cluster in which nothing will happen any more, and where, in words."""

from __future__ import annotations

from holdfast.errors import HoldfastError
from holdfast.testing.sidecar import Sidecar
from holdfast.worker import Worker


class Stuck(HoldfastError):
    """Somebody waits for an answer, and nothing will ever happen any more. The text says what stands still, where."""


async def told(instance_id: str, sidecar: Sidecar, worker: Worker | None) -> str:
    view = await sidecar.engine.get(instance_id)
    if view is None:
        return f"instance {instance_id!r}: there is none"
    record, pool = view.record, sidecar.host.pool
    said = [f"instance {instance_id!r} ({record.name}) is {record.status.name}"]
    if record.stall is not None:
        said.append(record.stall.description)
    elif record.is_suspended:
        said.append("it was paused; resume it")
    elif where := "" if worker is None else worker.where(instance_id):
        said.append(f"it waits at {where}")
    if pool.queued_turns or pool.queued_activities:
        said.append(
            f"{pool.queued_turns} turns and {pool.queued_activities} activities wait for a worker that has their code: "
            "give it to the cluster, or fake() the activity"
        )
    return "; ".join(said)
