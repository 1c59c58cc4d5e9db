"""What must be true when a simulated world has come to rest."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from holdfast_proto.history import EventReceived, Status, WorkflowCompleted, WorkflowStarted
from holdfast_sidecar.actors.host import Host
from holdfast_sidecar.stores.memory import MemoryStore
from tests.simulation.disk import Violation, read
from tests.simulation.process import BOUNDS
from tests.simulation.program import activity_result
from tests.support.checker import check_ended
from tests.unit.sidecar.core import derive

if TYPE_CHECKING:
    from tests.simulation.stage import Stage


def check_end(world: Stage, hosts: Sequence[Host], *, also: Sequence[str] = ()) -> None:
    """`hosts` are those that live, `also` what else was found wrong."""
    problems = [*_instances(world), *_clients(world), *also]
    for host in hosts:
        problems += _memory(host)
    if world.loop.failures:
        problems.append(f"a callback raised {world.loop.failures[0]}")
    if problems:
        raise Violation("; ".join(problems))


def _instances(world: Stage) -> list[str]:
    """I3, I4: every instance has ended in a history without a gap, and nothing is left that stands for work."""
    problems = list[str]()
    store = MemoryStore(world.memory)
    for instance_id in world.memory.cells:
        stored = store.stored(instance_id)
        assert stored is not None
        derive.check_rows(store, instance_id)
        derive.check_promises(stored)
        problems += check_ended(stored)
        written = world.journal.lives[instance_id].history
        if derive.facts(stored.history) != written:
            problems.append(f"{instance_id}: its history is not what was written")
        end = written[-1]
        if isinstance(end, WorkflowCompleted) and end.status is Status.COMPLETED:
            problems += _output(instance_id, written[1], end)
    if world.memory.due:
        problems.append(f"reminders are left: {world.memory.due}")
    return problems


def _output(instance_id: str, started: object, end: WorkflowCompleted) -> list[str]:
    """The result is what the plan says, whatever happened on the way."""
    assert isinstance(started, WorkflowStarted)
    found = json.loads(end.result or "[]")
    for step, value in zip(json.loads(started.input or "[]"), found, strict=True):
        expected: object = value
        match step:
            case ["call", word]:
                expected = activity_result("work", word)
            case ["fan", count]:
                expected = [activity_result("work", str(number)) for number in range(count)]
            case ["retry", failures]:
                expected = activity_result("flaky", f"w:{failures}:{failures}")
            case ["wait", name]:
                expected = f"payload of {name}"
            case _:
                pass
        if value != expected:
            return [f"{instance_id}: step {step} gave {value}, expected {expected}"]
    return []


def _memory(host: Host) -> list[str]:
    """I6: what is idle costs nothing."""
    sizes = {
        "actors": host.actors - BOUNDS.idle_instances_max - BOUNDS.awake_instances_max,
        "activities": len(host.activities),
        "reminders": len(host.reminders),
        "queued turns": host.pool.queued_turns,
        "queued activities": host.pool.queued_activities,
        "turns": host.pool.running_turns,
        "stalled": len(host.stalled),
        "commits": host.committer.depth,
        "watchers": len(host.watchers),
    }
    return [f"{size} {what} are left in memory" for what, size in sizes.items() if size > 0]


def _clients(world: Stage) -> list[str]:
    """I3: whoever was told OK finds that it was so."""
    problems = list[str]()
    for client in world.clients:
        life = world.journal.lives.get(client.id)
        if life is None or not life.ends:
            problems.append(f"{client.id}: was started and never ended")
            continue
        view = client.view
        if view is None or view.end is None:
            problems.append(f"{client.id}: its client saw no end")
        elif read(view.end) != life.ends[-1]:
            problems.append(f"{client.id}: its client saw another end")
        received = [event for event in life.history if isinstance(event, EventReceived)]
        if len({event.source for event in received}) != len(received):
            problems.append(f"{client.id}: received an event twice")
    return problems
