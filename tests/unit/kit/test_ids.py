import uuid

from holdfast_kit.ids import Ids, SeededIds, SystemIds


def _sample(ids: Ids) -> list[object]:
    return [ids.uuid(), ids.token(), ids.random().random(), ids.uuid()]


def test_the_same_seed_gives_the_same_sequence() -> None:
    assert _sample(SeededIds(7)) == _sample(SeededIds(7))
    assert _sample(SeededIds(7)) != _sample(SeededIds(8))


def test_a_seed_means_the_same_for_ever() -> None:
    ids = SeededIds(0)
    assert ids.uuid() == "e3e70682-c209-4cac-a29f-6fbed82c07cd"
    assert ids.token() == "f728b4fa42485e3a0a5d2f346baa9455"


def test_generators_of_one_source_are_independent() -> None:
    ids = SeededIds(1)
    first, second = ids.random(), ids.random()
    assert [first.random() for _ in range(3)] != [second.random() for _ in range(3)]


def test_system_ids_are_real_and_never_repeat() -> None:
    ids = SystemIds()
    assert uuid.UUID(ids.uuid()).version == 4
    assert uuid.UUID(SeededIds(3).uuid()).version == 4
    assert len({ids.uuid() for _ in range(100)} | {ids.token() for _ in range(100)}) == 200
    assert ids.random().random() != ids.random().random()
