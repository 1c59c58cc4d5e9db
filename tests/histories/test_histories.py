"""Histories that were recorded once are replayed for ever: what breaks them would break running instances."""

from __future__ import annotations

from pathlib import Path

import pytest

import holdfast
from holdfast.testing import History, check_replay, load_histories
from holdfast_proto.history import ActivityScheduled
from tests.histories import workflows
from tests.histories.record import FOLDER, STORIES, record

RECORDED = sorted(FOLDER.glob("*.jsonl"))


@pytest.mark.parametrize("file", RECORDED, ids=[file.stem for file in RECORDED])
def test_a_recorded_history_is_replayed(file: Path) -> None:
    assert check_replay(workflows, file) == 1


def test_every_story_has_been_recorded() -> None:
    assert {file.stem for file in RECORDED} >= STORIES.keys()


@pytest.mark.parametrize("name", STORIES)
async def test_what_would_be_recorded_today_fits_as_well(name: str, tmp_path: Path) -> None:
    await record(name, tmp_path / "today.jsonl")
    assert check_replay(workflows, tmp_path / "today.jsonl") == 1


def test_a_history_that_lacks_a_step_does_not_fit() -> None:
    (history,) = load_histories(FOLDER / "checkout.jsonl")
    without = [event for event in history.events if not isinstance(event, ActivityScheduled) or event.name != "pack"]
    with pytest.raises(holdfast.NonDeterminism, match="the code called activity 'pack' as 1"):
        check_replay(workflows, History.of(without))
