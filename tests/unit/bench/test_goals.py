"""What a report says of the goals."""

from __future__ import annotations

import pytest

from bench import goals
from bench.goals import GOALS, Goal
from bench.results import Row
from bench.scenarios import HELLO_CASES, IDLE, RATES

RATE = Goal("native", "hello", "5 at 64", "per_s", 2_000, is_least=True)
COST = Goal("native", "hello", "5 at 64", "sidecar_us", 400)
COMMITS = Goal("native", "hello", "5 at 64", "commits", 7, depends=False)


def line(goal: Goal, **values: float) -> str:
    (told,) = goals.told([Row("hello", "native", "5 at 64", values)], [goal])
    return told


def test_a_figure_is_told_as_it_was_and_at_the_pace_of_the_other_machine() -> None:
    told = line(RATE, per_s=1000.0, python_x=2.5)
    assert told.startswith("native hello 5 at 64: per_s at least 2000, found 1000: missed; ")
    assert told.endswith("Python is 2.5 times slower here, which would make it 2500: met")
    assert line(COST, sidecar_us=900.0, python_x=2.0).endswith("which would make it 450: missed")


@pytest.mark.parametrize(("commits", "word"), [(6.99, "met"), (7.01, "met"), (7.2, "missed")])
def test_what_does_not_depend_on_the_machine_is_not_reckoned(commits: float, word: str) -> None:
    assert line(COMMITS, commits=commits, python_x=3.0).endswith(f"found {commits}: {word}")


def test_what_was_not_measured_is_not_told() -> None:
    assert goals.told([Row("hello", "native", "5 at 64", note="broke")], [RATE]) == []


def test_the_cases_of_the_goals_are_those_of_the_scenarios() -> None:
    hello = {(client, f"{steps} at {many}") for client, cases in HELLO_CASES.items() for steps, many in cases}
    rates = {(client, f"5 at {rate}/s") for client, each in RATES.items() for rate in each}
    assert {(goal.client, goal.case) for goal in GOALS if goal.scenario == "hello"} <= hello
    assert {(goal.client, goal.case) for goal in GOALS if goal.scenario == "open"} <= rates
    assert f"{IDLE['native']} started" in {goal.case for goal in GOALS if goal.scenario == "idle"}
