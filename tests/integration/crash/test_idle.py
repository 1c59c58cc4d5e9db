"""Instances that wait. `make idle` measures 100,000 of them."""

from pathlib import Path

from tests.integration.crash.idle import measure

INSTANCES = 5_000


async def test_instances_that_wait_cost_no_memory_and_do_not_slow_a_restart(tmp_path: Path) -> None:
    found = await measure(tmp_path, instances=INSTANCES)
    print(found)
    assert found.growth_mb <= 20
    assert found.restarted_mb - found.fresh_mb <= 20
    assert found.in_memory < INSTANCES
    assert found.first_s <= 10  # two seconds on a machine that has nothing else to do
