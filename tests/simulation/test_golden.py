"""The golden stories, told again. After a wanted change: `python -m tests.simulation.test_golden` writes them anew."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from tests.simulation.story import Story

GOLDEN = Path(__file__).parent / "golden"
STORIES = sorted(GOLDEN.glob("*.txt"))


@pytest.mark.parametrize("path", STORIES, ids=lambda path: path.stem)
def test_a_story_is_told_as_it_was(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    text = path.read_text(encoding="utf-8")
    assert Story().tell(text) == text


def write_anew() -> None:
    for path in STORIES:
        path.write_text(Story().tell(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    write_anew()
