"""What our SDK holds and costs before it does anything: memory of a worker, and the time of its import."""

from __future__ import annotations

import asyncio
import statistics
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

from bench.processes import rss_mb
from bench.results import Row
from bench.stage import Plan, are_idle, join, sidecar_alone

IMPORTS = 9
# What every user of protobuf has paid for already is taken off.
_PROGRAM = """
import time
began = time.process_time()
import google.protobuf.timestamp_pb2
between = time.process_time()
import holdfast
print(between - began, time.process_time() - between)
"""


async def memory(plan: Plan) -> AsyncIterator[Row]:
    """A worker that keeps ten thousand workflows which wait, and one whose cache holds a tenth of them."""
    if plan.client != "native":
        return
    number = 2_000 if plan.is_quick else 10_000
    for cache_max in (number, number // 10):
        async with AsyncExitStack() as stack:
            sidecar, folder = await stack.enter_async_context(sidecar_alone(plan))
            stage = await join(plan, sidecar, folder, stack, serves=False)
            await stage.serve(cache_max=cache_max)
            await stage.load("memory", "warm up", "batch", workflow="hello", value=5, number=200, in_flight=32)
            empty = rss_mb(stage.worker.pid)
            case = f"{number} waiting, cache_max {cache_max}"
            await stage.load("memory", case, "burst", workflow="waits", value=1, number=number, in_flight=128)
            await are_idle(sidecar)
            held = rss_mb(stage.worker.pid)
            yield Row("memory", plan.client, case, {"app_rss_mb": held, "app_grew_mb": held - empty})


async def imports(plan: Plan) -> AsyncIterator[Row]:
    """Processor time of `import holdfast` beyond protobuf, in new processes: the least and the median."""
    if plan.client != "native":
        return
    took = [await _import_once() for _ in range(IMPORTS)]
    ours = [ours for _, ours in took]
    values = {
        "import_ms": statistics.median(ours) * 1e3,
        "least_ms": min(ours) * 1e3,
        "libraries_ms": statistics.median(libraries for libraries, _ in took) * 1e3,
    }
    yield Row("import", plan.client, f"{IMPORTS} processes", values)


async def _import_once() -> tuple[float, float]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _PROGRAM, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    libraries, ours = map(float, out.split())
    return libraries, ours
