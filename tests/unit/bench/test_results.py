"""What a benchmark makes of its numbers."""

import json
from pathlib import Path

import pytest

from bench.results import Row, percentile, save, table
from bench.scenarios import usual_again
from bench.stage import Costs, per_instance


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [([], 0.5, 0.0), ([3.0], 0.99, 3.0), ([4.0, 1.0, 3.0, 2.0], 0.5, 3.0), (list(map(float, range(100))), 0.99, 99.0)],
)
def test_a_percentile_is_one_of_the_values(values: list[float], share: float, expected: float) -> None:
    assert percentile(values, share) == expected


def test_a_table_has_a_line_per_row_and_says_what_has_no_column() -> None:
    rows = [
        Row("hello", "native", "5 at 64", {"per_s": 2000.4, "turns": 3.0}),
        Row("idle", "native", "BROKEN", note="why"),
    ]
    head, first, second = table(rows).splitlines()
    assert head.index("per s") + len("per s") == first.index("2000") + len("2000")
    assert first.endswith("turns 3.00")
    assert second.split() == ["native", "idle", "BROKEN", "why"]


def test_costs_are_what_came_on_top_divided_by_the_instances() -> None:
    before = Costs(1.0, 2.0, {"holdfast_commits_total": 10.0, "holdfast_commit_groups_total": 1.0})
    after = Costs(1.5, 2.1, {"holdfast_commits_total": 80.0, "holdfast_commit_groups_total": 8.0})
    costs = per_instance(before, after, number=10, steps=5)
    assert costs["commits"] == 7.0
    assert costs["per_write"] == 10.0
    assert (costs["sidecar_us"], costs["sidecar_us_step"]) == (50_000.0, 10_000.0)
    assert costs["app_us"] == pytest.approx(10_000.0)


def test_a_recovered_rate_is_the_first_second_that_brings_four_fifths_of_it() -> None:
    slow, fast = [10.0, 11.5, 13.0], [14.0 + number / 10 for number in range(10)]
    assert usual_again([*slow, *fast], 10.0) == 14.0
    assert usual_again(slow, 10.0) == float("inf")


def test_results_are_kept_with_what_they_were_measured_on(tmp_path: Path) -> None:
    path = tmp_path / "results" / "one.json"
    save(path, facts={"seed": 7}, rows=[Row("hello", "native", "1 at 1", {"per_s": 1.0})])
    kept = json.loads(path.read_text())
    assert kept["seed"] == 7
    assert kept["rows"] == [
        {"scenario": "hello", "client": "native", "case": "1 at 1", "values": {"per_s": 1.0}, "note": ""}
    ]
