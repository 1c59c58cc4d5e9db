"""The figures that this project set itself, beside what was found: as it was, and at the pace of the machine that they
were set on.

A figure of processor time or of waiting is divided by how many times slower Python is here (`pace.python`), a rate is
multiplied. That is an estimate: what the kernel and the disk take is not slower by as much.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from bench.results import Row


@dataclass(frozen=True)
class Goal:
    client: str
    scenario: str
    case: str
    figure: str
    bound: float
    is_least: bool = False
    depends: bool = True  # on how fast the machine is


GOALS: Final = (
    Goal("native", "hello", "5 at 64", "per_s", 2_000, is_least=True),
    Goal("native", "hello", "5 at 64", "sidecar_us", 400),
    Goal("native", "hello", "5 at 64", "app_us", 300),
    Goal("native", "hello", "1 at 1", "p50_ms", 2.5),
    Goal("native", "hello", "5 at 1", "p50_ms", 6),
    Goal("native", "open", "5 at 1000/s", "p50_ms", 30),
    Goal("native", "fan", "1 x 1000", "steps_per_s", 15_000, is_least=True),
    Goal("native", "burst", "with a worker", "per_s", 5_000, is_least=True),
    Goal("native", "burst", "without a worker", "per_s", 5_000, is_least=True),
    Goal("native", "memory", "10000 waiting, cache_max 10000", "app_rss_mb", 100, depends=False),
    Goal("native", "import", "9 processes", "import_ms", 120),
    Goal("native", "idle", "100000 started", "rss_grew_mb", 20, depends=False),
    Goal("native", "idle", "first page of a list", "p50_ms", 50),
    Goal("native", "idle", "after kill -9", "first_s", 2),
    Goal("durabletask", "hello", "5 at 32", "sidecar_us", 2_500),
    Goal("durabletask", "hello", "5 at 32", "commits", 12, depends=False),
    Goal("durabletask", "hello", "5 at 1", "commits", 7, depends=False),
    Goal("durabletask", "hello", "5 at 1", "p50_ms", 15),
)


def told(rows: Iterable[Row], goals: Iterable[Goal] = GOALS) -> list[str]:
    """A line for each goal whose case was measured."""
    found = {(row.client, row.scenario, row.case): row.values for row in rows}
    lines: list[str] = []
    for goal in goals:
        values = found.get((goal.client, goal.scenario, goal.case), {})
        if goal.figure in values:
            lines.append(_line(goal, values[goal.figure], values.get("python_x")))
    return lines


def _line(goal: Goal, found: float, slower: float | None) -> str:
    asked = f"{'at least' if goal.is_least else 'at most'} {goal.bound:g}"
    line = f"{goal.client} {goal.scenario} {goal.case}: {goal.figure} {asked}, found {found:.4g}: {_word(goal, found)}"
    if slower is None or not goal.depends:
        return line
    there = found * slower if goal.is_least else found / slower
    return f"{line}; Python is {slower:.1f} times slower here, which would make it {there:.4g}: {_word(goal, there)}"


def _word(goal: Goal, found: float) -> str:
    is_met = found >= goal.bound if goal.is_least else found <= goal.bound * 1.005  # 7.01 commits are 7 and a warm-up
    return "met" if is_met else "missed"
