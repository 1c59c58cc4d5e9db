"""Compares what lies in the store after a run with what was planned and with what was acknowledged."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from holdfast_proto.history import EventReceived, Status, TerminateRequested, WorkflowCompleted
from holdfast_sidecar.core.state import Stored
from tests.integration.crash.client import Ack, Snapshot, fingerprint
from tests.integration.crash.plan import Ending, Planned
from tests.support.checker import (
    Disruption,
    Execution,
    check_ended,
    check_executions,
    check_family,
    check_growth,
    check_repeats,
    events_of,
    read_executions,
    repeated,
)


class Evidence:
    """Everything that a run leaves behind. Instances whose ids begin with something `unplanned` are not looked at."""

    def __init__(
        self,
        folder: Path,
        plan: Sequence[Planned],
        found: Mapping[str, Stored],
        disruptions: Sequence[Disruption],
        *,
        unplanned: tuple[str, ...] = (),
    ) -> None:
        self.plan = {planned.id: planned for planned in plan}
        self.found = {one: stored for one, stored in found.items() if not one.startswith(unplanned)}
        self.disruptions = disruptions
        self.acks = [msgspec.json.decode(line, type=Ack) for line in _lines(folder / "acks")]
        self.snapshots = [msgspec.json.decode(line, type=Snapshot) for line in _lines(folder / "snapshots")]
        journal = folder / "journal"
        executions: list[Execution] = read_executions(journal.read_text() if journal.exists() else "")
        self.executions = [each for each in executions if not each.instance_id.startswith(unplanned)]

    def violations(self) -> Iterator[str]:
        yield from self._check_existence()
        yield from self._check_ends()
        yield from self._check_acks()
        for stored in self.found.values():
            yield from check_ended(stored)
        yield from check_family(self.found)
        yield from check_growth(self._growth())
        yield from check_executions(self.found, self.executions)
        yield from check_repeats(self.executions, self.disruptions)

    def facts(self) -> str:
        did = Counter(ack.did for ack in self.acks)
        again = len(repeated(self.executions))
        return (
            f"{len(self.plan)} started, {len(self.found)} in all; "
            f"acknowledged {did['start']} starts, {did['event']} events, {did['terminate']} terminates; "
            f"{len(self.executions)} activities ran, {again} of them again; {len(self.snapshots)} snapshots"
        )

    def _check_existence(self) -> Iterator[str]:
        known, counted, most = set[str](), 0, 0
        for planned in self.plan.values():
            known |= {planned.id, *(other for other, _ in planned.others)}
            most += planned.instances
            counted += planned.instances if planned.workflow != "endless" else 1  # ended before its children, perhaps
        if not counted <= len(self.found) <= most:
            yield f"expected {counted} to {most} instances, found {len(self.found)}"
        for planned in self.plan.values():
            wanted = [planned.id, *(other for other, _ in planned.others if planned.workflow != "endless")]
            yield from (f"instance {one!r}: expected to exist, found none" for one in wanted if one not in self.found)

    def _check_ends(self) -> Iterator[str]:
        for planned in self.plan.values():
            for instance_id, ending in ((planned.id, planned.ending), *planned.others):
                stored = self.found.get(instance_id)
                if stored is not None and (ended := stored_ending(stored)) != ending:
                    yield f"instance {instance_id!r}: expected to end with {ending}, found {ended} in the store"

    def _check_acks(self) -> Iterator[str]:
        ended = dict[str, Ack]()
        for ack in self.acks:
            stored = self.found.get(ack.id)
            if stored is None:
                continue  # told already
            if ack.did == "end":
                ended[ack.id] = ack
            elif ack.did == "event" and stored.record.generation == 1:
                sources = [event.source for event in events_of(stored) if isinstance(event, EventReceived)]
                if (count := sources.count(ack.source)) != 1:
                    yield f"event {ack.source!r} was acknowledged and is {count} times in the history"
            elif ack.did == "terminate" and not any(isinstance(e, TerminateRequested) for e in events_of(stored)):
                yield f"instance {ack.id!r}: its termination was acknowledged and is not in the history"
        for planned in self.plan.values():
            end = ended.get(planned.id)
            if end is None:
                yield f"instance {planned.id!r}: the client never heard of its end"
            elif acked_ending(end) != planned.ending:
                yield f"instance {planned.id!r}: expected to end with {planned.ending}, the client heard {end}"

    def _growth(self) -> Mapping[str, Sequence[Sequence[str]]]:
        histories = defaultdict[str, list[Sequence[str]]](list)
        for snapshot in self.snapshots:
            histories[snapshot.id].append(snapshot.rows)
        for instance_id, same in histories.items():
            stored = self.found.get(instance_id)
            if stored is not None:
                same.append([fingerprint(event) for event in events_of(stored)])
        return histories


def stored_ending(stored: Stored) -> Ending:
    events = events_of(stored)
    end = events[-1] if events else None
    result, failure = (end.result, end.failure) if isinstance(end, WorkflowCompleted) else (None, None)
    return Ending(
        stored.record.status, _value(result), "" if failure is None else failure.kind, _value(stored.custom_status)
    )


def acked_ending(ack: Ack) -> Ending:
    return Ending(Status(ack.status), _value(ack.output), ack.failure, _value(ack.custom_status))


def _value(text: str | None) -> object:
    return None if text is None else json.loads(text)


def _lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines() if path.exists() else []
