"""How fast this machine is today, by three things that no change of ours makes faster or slower.

A figure means little without it: the same commit has taken twice the processor time on another machine, and half as
much again an hour later on the same one.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import cache
from statistics import median

import grpc
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from prometheus_client import CollectorRegistry, Counter, Histogram
from uhashring import HashRing  # type: ignore[import-untyped] # pyright: ignore[reportMissingTypeStubs] # it has no stubs

from bench import procfs

LANES = 64
CALLS = 4_000
PAYLOAD = b"x" * 85
_PATH = "/bench.Echo/Say"
_ROUND = 1_000
# Medians on the machine on which the goals of this project were set: two cores of an AMD EPYC, CPython 3.11.
PYTHON: Mapping[str, float] = {"ring_us": 0.98, "count_us": 0.21, "observe_us": 0.54, "add_us": 3.4}
THERE: Mapping[str, float] = {**PYTHON, "call_us": 251.0, "write_us": 156.0}


async def pace() -> dict[str, float]:
    """Microseconds. Python alone: a look-up in a ring of 100 hosts, a count and an observation of Prometheus' client, a
    count of OpenTelemetry's. Then an empty unary call of grpcio (processor time of both sides), and a write of 4 kB
    until the disk has it."""
    return {**_python_alone(), "call_us": await _call(), "write_us": _write()}


def python() -> float:
    """How many times slower Python is than there: the median of what is Python alone. A quarter of a second."""
    return median(us / PYTHON[name] for name, us in _python_alone().items())


def told(found: Mapping[str, float]) -> str:
    said = (f"{name.removesuffix('_us')} {us:.3g} us ({us / THERE[name]:.1f} x)" for name, us in found.items())
    return f"this machine: {', '.join(said)}; x: times that of the machine on which the goals were set"


def _python_alone() -> dict[str, float]:
    return {name: _took(work) for name, work in _works().items()}


@cache
def _works() -> Mapping[str, Callable[[], object]]:
    ring = HashRing([f"host-{number}" for number in range(100)])
    registry = CollectorRegistry()
    counted = Counter("counted", "A count.", ["name"], registry=registry).labels("one")
    observed = Histogram("observed", "A time.", ["name"], registry=registry).labels("one")
    added = MeterProvider(metric_readers=[InMemoryMetricReader()]).get_meter("bench").create_counter("added")

    def look_up() -> None:
        ring.get_node("instance-7")

    return {
        "ring_us": look_up,
        "count_us": counted.inc,
        "observe_us": lambda: observed.observe(0.3),
        "add_us": lambda: added.add(1, {"a": "b"}),
    }


def _took(work: Callable[[], object]) -> float:
    """Microseconds of one call, the median of several rounds."""

    def once() -> float:
        began = time.perf_counter()
        for _ in range(_ROUND):
            work()
        return time.perf_counter() - began

    return median(once() for _ in range(9)) / _ROUND * 1e6


def _write() -> float:
    def once(file: int) -> float:
        os.write(file, b"x" * 4096)
        began = time.perf_counter()
        os.fdatasync(file)
        return time.perf_counter() - began

    with tempfile.TemporaryFile() as file:
        return median(once(file.fileno()) for _ in range(300)) * 1e6


async def _call() -> float:
    server = await asyncio.create_subprocess_exec(sys.executable, "-m", "bench.pace", stdout=asyncio.subprocess.PIPE)
    assert server.stdout is not None
    try:
        port = int(await server.stdout.readline())
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            await _calls(channel, CALLS // 4)
            before = procfs.cpu_seconds(server.pid) + time.process_time()
            await _calls(channel, CALLS)
            return (procfs.cpu_seconds(server.pid) + time.process_time() - before) / CALLS * 1e6
    finally:
        server.kill()
        await server.wait()


async def _calls(channel: grpc.aio.Channel, count: int) -> None:
    say: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(_PATH)

    async def lane() -> None:
        for _ in range(count // LANES):
            await say(PAYLOAD)

    async with asyncio.TaskGroup() as group:
        for _ in range(LANES):
            group.create_task(lane())


async def _serve() -> None:
    async def echo(request: bytes, _: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        return request

    server = grpc.aio.server()
    service, method = _PATH.strip("/").split("/")
    handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(echo)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(_serve())
