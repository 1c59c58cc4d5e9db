"""Random commits against the store and against the oracle, compared after every step."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from msgspec.structs import replace

from holdfast_proto.history import Status
from holdfast_sidecar.core.state import ActivityRow, Commit, Filter, Record, Reminder, Stored
from holdfast_sidecar.stores.contract import Store
from tests.conformance.builders import create, delete, follow, partition_of, place
from tests.conformance.harness import PARTITIONS
from tests.conformance.oracle import Oracle

IDS = [f"{prefix}{number}" for prefix in ("order-", "ü:", "{x}") for number in range(4)]
NAMES = ("ship", "bill")


class Chance:
    """Commits drawn from a seed: mostly right ones, some with an old version or an old epoch."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)
        self.now = 1_000

    def batch(self, oracle: Oracle) -> list[Commit]:
        """Drawn on top of what the batch itself leaves, so that one instance is often hit several times."""
        scratch = Oracle()
        scratch.fences, scratch.instances = oracle.fences.copy(), oracle.instances.copy()
        batch: list[Commit] = []
        for _ in range(self.rng.choice((1, 1, 2, 5, 20))):
            batch.append(self.commit(scratch))
            scratch.apply(batch[-1])
        return batch

    def commit(self, oracle: Oracle) -> Commit:
        rng = self.rng
        self.now += rng.choice((0, 0, 1, 7))
        instance_id = rng.choice(IDS)
        stored = oracle.stored(instance_id)
        epoch = max(0, oracle.fences.get(partition_of(instance_id), 0) + rng.choice((0, 0, 0, 0, 0, 1, -1)))
        if stored is None or rng.random() < 0.05:
            fields = {"created_at": self.now, "name": rng.choice(NAMES)}
            rows = self.rows(instance_id)
            if rng.random() < 0.4:  # its first turn is in it, which may have been the last one, too
                status = rng.choice(list(Status))
                fields |= {"status": status, "completed_at": self.now if status.is_terminal else None}
                rows |= {
                    "events": self.blobs(),
                    "resets_history": rng.random() < 0.3,
                    "clears_activities": rng.random() < 0.3,
                    "activities_delete": [(number, 1) for number in rng.sample(range(12), 2)],
                    "reminders_delete": ["start", *(f"timer-{number}" for number in rng.sample(range(12), 2))],
                }
            return create(instance_id, epoch=epoch, messages=self.blobs(), record=fields, **rows)
        before = self.standing(stored, epoch)
        if rng.random() < 0.08:
            return delete(before)
        return self.update(before, stored)

    def standing(self, stored: Stored, epoch: int) -> Commit:
        record = stored.record
        if self.rng.random() < 0.07:
            record = replace(record, version=max(1, record.version + self.rng.choice((-1, 1))))
        return replace(create(record.id, epoch=epoch), record=record)

    def update(self, before: Commit, stored: Stored) -> Commit:
        rng = self.rng
        return follow(
            before,
            events=self.blobs(),
            messages=self.blobs(),
            consume=rng.randint(0, len(stored.inbox)),
            resets=rng.random() < 0.1,
            record=self.fields(stored.record),
            activities_delete=[(row.seq, row.generation) for row in stored.activities if rng.random() < 0.3],
            reminders_delete=[row.name for row in stored.reminders if rng.random() < 0.3],
            clears_activities=rng.random() < 0.1,
            **self.rows(before.instance_id),
        )

    def fields(self, record: Record) -> dict[str, Any]:
        status = self.rng.choice((record.status, record.status, *Status))
        fields: dict[str, Any] = {"status": status, "updated_at": self.now}
        if status is not record.status:
            fields["completed_at"] = self.now if status.is_terminal else None
        if self.rng.random() < 0.05:
            fields |= {"created_at": self.now, "name": self.rng.choice(NAMES)}
        return fields

    def rows(self, instance_id: str) -> dict[str, Any]:
        rng = self.rng
        return {
            "activities_put": [
                ActivityRow(seq, rng.randint(1, 2), rng.randbytes(3))
                for seq in rng.sample(range(12), rng.randint(0, 3))
            ],
            "reminders_put": [
                Reminder(instance_id, f"timer-{number}", rng.choice((0, self.now, self.now + 5)), rng.randbytes(2))
                for number in rng.sample(range(12), rng.randint(0, 3))
            ],
            "sets_custom_status": rng.random() < 0.3,
            "custom_status": rng.choice((None, "", "packing", "{}")),
        }

    def blobs(self) -> list[bytes]:
        return [self.rng.randbytes(self.rng.choice((0, 3, 40))) for _ in range(self.rng.choice((0, 0, 1, 3)))]

    def wanted(self) -> Filter:
        rng = self.rng
        created = sorted(rng.sample(range(1_000, self.now + 5), 2))
        return Filter(
            statuses=frozenset(rng.sample(list(Status), rng.choice((0, 0, 1, 3)))),
            name=rng.choice(("", "", "ship")),
            id_prefix=rng.choice(("", "", "order-", "{x}1")),
            created_from=rng.choice((0, created[0])),
            created_to=rng.choice((0, created[1])),
            completed_from=rng.choice((0, 0, 0, created[0])),
            completed_to=rng.choice((0, 0, 0, created[1])),
            by_completion=rng.random() < 0.3,
        )


@pytest.mark.parametrize("seed", range(12))
async def test_the_store_agrees_with_the_oracle_after_every_step(store: Store, seed: int) -> None:
    chance, oracle = Chance(seed), Oracle()
    for _ in range(60):
        if chance.rng.random() < 0.15:
            partitions = chance.rng.sample(range(PARTITIONS), 3)
            epoch = chance.rng.randint(0, 3) + max(oracle.fences.values(), default=0) // 2
            assert sorted(await store.acquire(partitions, epoch)) == sorted(oracle.acquire(partitions, epoch))
        batch = chance.batch(oracle)
        expected = [oracle.apply(commit) for commit in batch]
        assert list(await store.commit(batch)) == expected
        await _compare(store, oracle, chance)


async def _compare(store: Store, oracle: Oracle, chance: Chance) -> None:
    rng = chance.rng
    places = [place(instance_id) for instance_id in IDS]
    assert list(await store.load(places)) == [oracle.stored(instance_id) for instance_id in IDS]
    payloads = rng.random() < 0.5
    expected_views = [oracle.view(instance_id, payloads=payloads) for instance_id in IDS]
    assert list(await store.view(places, payloads=payloads)) == expected_views
    partitions = rng.sample(range(PARTITIONS), rng.choice((1, 5, PARTITIONS)))
    after, until = rng.choice((-1, 0, chance.now - 3)), chance.now
    due = await store.due(partitions, after=after, until=until, limit=500)
    assert list(due.reminders) == oracle.due(partitions, after=after, until=until)
    wanted = chance.wanted()
    assert list((await store.query(wanted, limit=500, payloads=payloads)).views) == oracle.query(
        wanted, payloads=payloads
    )
