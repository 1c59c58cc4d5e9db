"""Histories in files, and what is checked of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import holdfast
from holdfast import Context
from holdfast.testing import History, ReplayFailed, check_replay, load_histories, save_history
from holdfast_proto.history import HistoryEvent, TurnStarted, WorkflowStarted
from tests.support.strategies import events
from tests.unit.sdk.story import Story

START = WorkflowStarted(at=1_000, name="greet", instance_id="i-1", execution_id="e-1")


@holdfast.activity
async def wave(name: str) -> str:
    return name


@holdfast.workflow
async def greet(ctx: Context, name: str) -> str:
    return await ctx.call(wave, name)


@holdfast.workflow(name="greet")
async def greet_coldly(ctx: Context, name: str) -> str:
    await ctx.sleep(1)
    return name


def history() -> list[HistoryEvent]:
    story = Story(greet, wave)
    story.start('"Ann"')
    story.completed(0, '"Ann"')
    return story.history


@given(st.lists(events, max_size=5))
def test_every_event_is_read_as_it_was_saved(
    tmp_path_factory: pytest.TempPathFactory, some: list[HistoryEvent]
) -> None:
    path = tmp_path_factory.mktemp("saved") / "history.jsonl"
    save_history(path, [START, *some])
    (found,) = load_histories(path)
    assert list(found.events) == [START, *some]


def test_a_file_holds_several_histories(tmp_path: Path) -> None:
    path = tmp_path / "some.jsonl"
    other = WorkflowStarted(at=1_000, name="part", instance_id="i-2", execution_id="e-2")
    save_history(path, [TurnStarted(at=1), START])
    save_history(path, [TurnStarted(at=2), other], append=True)
    found = load_histories(path)
    assert [(one.instance_id, one.workflow, one.source) for one in found] == [
        ("i-1", "greet", f"{path}:1"),
        ("i-2", "part", f"{path}:4"),
    ]


def test_code_is_checked_against_events_files_and_many_at_once(tmp_path: Path) -> None:
    path = tmp_path / "greet.jsonl"
    save_history(path, history())
    assert check_replay(greet, history()) == 1
    assert check_replay([greet, wave], path, str(path), History.of(history())) == 3
    assert check_replay(greet) == 0


def test_what_does_not_fit_is_raised_alone_or_together() -> None:
    with pytest.raises(holdfast.NonDeterminism, match="the code started a timer as 0"):
        check_replay(greet_coldly, history())
    with pytest.raises(ReplayFailed) as caught:
        check_replay(greet_coldly, history(), history())
    assert len(caught.value.problems) == 2


def test_a_history_of_an_instance_that_still_runs_fits_as_well() -> None:
    begun = history()[:3]  # its first turn
    assert isinstance(history()[3], TurnStarted)
    assert check_replay(greet, begun) == 1
