"""The contract once more, as slow and simple as can be: every real store must agree with it after every step."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from holdfast_sidecar.core.state import Commit, Filter, Record, Reminder, Stored, View
from holdfast_sidecar.stores.contract import Outcome


class Oracle:
    def __init__(self) -> None:
        self.fences: dict[int, int] = {}
        self.instances: dict[str, tuple[int, Stored]] = {}  # id -> (partition, everything)

    def acquire(self, partitions: Sequence[int], epoch: int) -> list[int]:
        held = [partition for partition in partitions if self.fences.get(partition, 0) <= epoch]
        for partition in held:
            self.fences[partition] = epoch
        return held

    def apply(self, commit: Commit) -> Outcome:
        if self.fences.get(commit.partition, 0) > commit.epoch:
            return Outcome.FENCED
        _, old = self.instances.get(commit.instance_id, (0, None))
        if (old.record.version if old else 0) != commit.expected_version:
            return Outcome.CONFLICT
        if commit.record is None:
            self.instances.pop(commit.instance_id, None)
        else:
            new = _written(commit, commit.record, old or Stored(record=commit.record))
            self.instances[commit.instance_id] = (commit.partition, new)
        return Outcome.APPLIED

    def stored(self, instance_id: str) -> Stored | None:
        return self.instances[instance_id][1] if instance_id in self.instances else None

    def view(self, instance_id: str, *, payloads: bool) -> View | None:
        stored = self.stored(instance_id)
        if stored is None:
            return None
        view = View(record=stored.record, custom_status=stored.custom_status)
        if not payloads:
            return view
        start = stored.history[1:2] if stored.history else stored.inbox[:1]
        end = stored.history[-1:] if stored.record.status.is_terminal else ()
        return replace(view, start=start[0] if start else None, end=end[0] if end else None)

    def due(self, partitions: Sequence[int], *, after: int, until: int) -> list[Reminder]:
        found = [
            reminder
            for partition, stored in self.instances.values()
            for reminder in stored.reminders
            if partition in partitions and after < reminder.due_at <= until
        ]
        return sorted(found, key=lambda reminder: (reminder.due_at, reminder.instance_id, reminder.name))

    def query(self, wanted: Filter, *, payloads: bool) -> list[View]:
        found = [stored.record for _, stored in self.instances.values() if _is_wanted(stored.record, wanted)]
        found.sort(key=lambda record: (record.completed_at if wanted.by_completion else record.created_at, record.id))
        views = [self.view(record.id, payloads=payloads) for record in found]
        return [view for view in views if view is not None]


def _written(commit: Commit, record: Record, old: Stored) -> Stored:
    """Everything of the instance after the commit."""
    consumed_to = commit.inbox_consumed[1] - commit.inbox_consumed[0]
    activities = {(row.seq, row.generation): row for row in old.activities if not commit.clears_activities}
    for key in commit.activities_delete:
        activities.pop(key, None)
    activities |= {(row.seq, row.generation): row for row in commit.activities_put}
    reminders = {row.name: row for row in old.reminders}
    for name in commit.reminders_delete:
        reminders.pop(name, None)
    reminders |= {row.name: row for row in commit.reminders_put}
    return Stored(
        record=record,
        custom_status=commit.custom_status if commit.sets_custom_status else old.custom_status,
        inbox=old.inbox[consumed_to:] + tuple(commit.inbox_append),
        history=(() if commit.resets_history else old.history) + tuple(commit.history_append),
        activities=tuple(activities[key] for key in sorted(activities)),
        reminders=tuple(reminders[name] for name in sorted(reminders)),
    )


def _is_wanted(record: Record, wanted: Filter) -> bool:
    completed_at = record.completed_at
    if completed_at is None and (wanted.by_completion or wanted.completed_from or wanted.completed_to):
        return False
    return all(
        (
            not wanted.statuses or record.status in wanted.statuses,
            not wanted.name or record.name == wanted.name,
            record.id.startswith(wanted.id_prefix),
            record.created_at >= wanted.created_from,
            not wanted.created_to or record.created_at < wanted.created_to,
            completed_at is None or completed_at >= wanted.completed_from,
            completed_at is None or not wanted.completed_to or completed_at < wanted.completed_to,
        )
    )
