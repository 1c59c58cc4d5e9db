"""The kept past is the same as one put together anew, and costs no more than its bytes."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from holdfast_proto.codec import encode_event
from holdfast_proto.history import EventSent, HistoryEvent, TurnStarted
from holdfast_sidecar.actors.ports import TurnTask
from holdfast_sidecar.api.durabletask import dapr, frames, microsoft
from holdfast_sidecar.api.durabletask.past import KEPT_ROWS_MIN, Holdings, Pasts
from holdfast_sidecar.core.turn import TurnResult

KINDS = dapr.kinds(())


def rows(count: int, *, first: int = 0, salt: int = 0) -> list[bytes]:
    """Every third is of a kind that Dapr's work items do not bear."""
    return [encode_event(event(at, salt)) for at in range(first, first + count)]


def event(at: int, salt: int) -> HistoryEvent:
    return EventSent(at=at, seq=at, instance_id="o", name="Go") if at % 3 == 2 else TurnStarted(at=at + salt)


def task(history: Sequence[bytes], *, instance_id: str = "i", execution_id: str = "e", generation: int = 1) -> TurnTask:
    return TurnTask(
        instance_id=instance_id,
        execution_id=execution_id,
        generation=generation,
        name="n",
        label=None,
        history=list(history),
        new=[],
        turn_trace=b"",
        dialect="",
        on_done=nobody_answers,
        worker=None,
    )


def nobody_answers(task: TurnTask, result: TurnResult) -> None:
    raise AssertionError("the task was only looked at")


def anew(history: Sequence[bytes]) -> bytes:
    return frames.past_events(frames.rows_of_kinds(history, KINDS))


@st.composite
def lives(draw: st.DrawFn) -> list[TurnTask]:
    """Turns of a few instances: most histories grow, some are rewound, some ids are used again."""
    runs: dict[str, tuple[int, str, list[bytes]]] = {}
    turns: list[TurnTask] = []
    for number in range(draw(st.integers(1, 12))):
        instance_id = draw(st.sampled_from("abc"))
        generation, execution_id, history = runs.get(instance_id, (1, "e", list[bytes]()))
        match draw(st.sampled_from(["grow", "grow", "again", "rewind", "reuse"])):
            case "grow":
                history = [*history, *rows(draw(st.integers(1, 60)), first=len(history), salt=1000 * number)]
            case "rewind":
                generation, history = generation + 1, history[: len(history) // 2]
            case "reuse":
                execution_id, history = f"e{number}", rows(draw(st.integers(0, 90)), salt=1000 * number)
            case _:
                pass
        runs[instance_id] = generation, execution_id, history
        turns.append(task(history, instance_id=instance_id, execution_id=execution_id, generation=generation))
    return turns


@given(lives(), st.sampled_from([0, 1000, 1 << 20]))
def test_a_kept_past_is_what_putting_it_together_anew_gives(turns: list[TurnTask], bytes_max: int) -> None:
    pasts = Pasts(bytes_max=bytes_max)
    for turn in turns:
        assert bytes(pasts.of(turn, KINDS)) == anew(turn.history)


@given(lives())
def test_what_a_worker_holds_and_is_sent_is_the_whole_past(turns: list[TurnTask]) -> None:
    holdings, held = Holdings(), dict[str, list[bytes]]()
    for turn in turns:
        sent, count = holdings.since(turn, KINDS)
        kept = held.get(turn.instance_id, [])[:count]
        assert len(kept) == count
        held[turn.instance_id] = frames.rows_of_kinds(turn.history, KINDS)
        assert frames.past_events(kept) + sent == anew(turn.history)


def test_a_past_that_grew_is_only_added_to() -> None:
    pasts, history = Pasts(), rows(KEPT_ROWS_MIN)
    before = pasts.of(task(history), KINDS)
    history += rows(3, first=len(history))
    after = pasts.of(task(history), KINDS)
    assert after is before
    assert bytes(after) == anew(history)


def test_short_pasts_are_not_kept() -> None:
    pasts = Pasts()
    pasts.of(task(rows(KEPT_ROWS_MIN - 1)), KINDS)
    assert len(pasts) == 0


def test_the_past_unused_for_longest_is_forgotten_first() -> None:
    history = rows(KEPT_ROWS_MIN)
    size = len(anew(history))
    pasts = Pasts(bytes_max=2 * size)
    first = pasts.of(task(history, instance_id="first"), KINDS)
    for name in ("second", "first", "third"):
        pasts.of(task(history, instance_id=name), KINDS)
    assert len(pasts) == 2
    assert pasts.of(task(history, instance_id="first"), KINDS) is first


def test_the_past_used_last_is_kept_however_long_it_is() -> None:
    pasts, history = Pasts(bytes_max=1), rows(KEPT_ROWS_MIN)
    assert pasts.of(task(history), KINDS) is pasts.of(task(history), KINDS)


def test_what_is_forgotten_makes_room() -> None:
    history = rows(KEPT_ROWS_MIN)
    pasts = Pasts(bytes_max=2 * len(anew(history)))
    second = None
    for name in ("first", "second"):
        second = pasts.of(task(history, instance_id=name), KINDS)
    pasts.forget("first", KINDS)
    pasts.forget("unknown", KINDS)
    pasts.of(task(history, instance_id="third"), KINDS)
    assert len(pasts) == 2
    assert pasts.of(task(history, instance_id="second"), KINDS) is second


def test_dialects_do_not_see_each_others_pasts() -> None:
    pasts, history = Pasts(), rows(KEPT_ROWS_MIN)
    ours, theirs = microsoft.kinds(()), KINDS
    assert len(pasts.of(task(history), ours)) > len(pasts.of(task(history), theirs))
    assert len(pasts) == 2


def test_another_run_begins_with_its_whole_past() -> None:
    """Also when it is longer than what was held of the run before."""
    for other in (task(rows(6), generation=2), task(rows(6), execution_id="f")):
        holdings = Holdings()
        assert holdings.since(task(rows(3)), KINDS) == (anew(rows(3)), 0)
        assert holdings.since(other, KINDS) == (anew(rows(6)), 0)


def test_a_worker_is_told_how_many_events_it_holds_not_rows() -> None:
    holdings = Holdings()
    holdings.since(task(rows(4)), KINDS)
    assert holdings.since(task(rows(7)), KINDS) == (anew(rows(7)[4:]), 3)
    assert holdings.since(task(rows(7)), KINDS) == (b"", 5)


def test_what_is_forgotten_is_sent_whole() -> None:
    holdings = Holdings()
    holdings.since(task(rows(4)), KINDS)
    holdings.forget("i")
    holdings.forget("unknown")
    assert holdings.since(task(rows(4)), KINDS) == (anew(rows(4)), 0)
