"""What the replay engine costs a worker, without any network.

    python -m bench.micro_replay [--workflows 5000] [--cached 10000]

The workflow is HelloSequence5: six turns, five activities. `kept` feeds a run that stays alive; `rebuilt` replays the
whole history in each turn. Microseconds are CPU of this process.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
import tracemalloc
from collections.abc import Callable, Sequence

import holdfast
from holdfast import Context
from holdfast._replay.engine import Run
from holdfast.registry import Registry
from holdfast_proto.history import ActivityCompleted, ActivityScheduled, HistoryEvent, TurnStarted, WorkflowStarted

STEPS = 5
BEGAN_AT = 1_790_000_000_000_000_000
TURNS = STEPS + 1


@holdfast.activity
async def hello(name: str) -> str:
    return f"hello {name}"


@holdfast.workflow
async def sequence(ctx: Context, name: str) -> list[str]:
    return [await ctx.call(hello, name) for _ in range(STEPS)]


@holdfast.workflow
async def long(ctx: Context, count: int) -> None:
    for _ in range(count):
        await ctx.call(hello, "x")


REGISTRY = Registry(sequence, long, hello)


def start(name: str, payload: str, number: int = 0) -> list[HistoryEvent]:
    return [
        TurnStarted(at=BEGAN_AT),
        WorkflowStarted(at=BEGAN_AT, name=name, instance_id=f"i{number}", execution_id=f"e{number}", input=payload),
    ]


def answer(seq: int) -> list[HistoryEvent]:
    return [TurnStarted(at=BEGAN_AT + seq), ActivityCompleted(at=BEGAN_AT, seq=seq, result='"hello"')]


def kept(workflows: int) -> None:
    for _ in range(workflows):
        run = Run(REGISTRY)
        run.advance(start("sequence", '"x"'))
        for seq in range(STEPS):
            run.advance(answer(seq))
        run.close()


def rebuilt(workflows: int) -> None:
    for _ in range(workflows):
        past: list[HistoryEvent] = []
        for turn in range(TURNS):
            new = answer(turn - 1) if turn else start("sequence", '"x"')
            run = Run(REGISTRY)
            run.advance(new, past=past)
            run.close()
            past += [*new, ActivityScheduled(at=BEGAN_AT, seq=turn, name="hello")]


def steps_of_one(count: int) -> tuple[float, float]:
    """Microseconds per step in the first and in the last thousand of one long run."""
    run = Run(REGISTRY)
    run.advance(start("long", str(count)))
    took: list[float] = []
    for first in range(0, count, 1000):
        began = time.process_time()
        for seq in range(first, first + 1000):
            run.advance(answer(seq))
        took.append((time.process_time() - began) * 1000)
    run.close()
    return took[0], took[-1]


def memory(cached: int) -> float:
    """Bytes that one run waiting for its first activity holds."""
    kept(10)
    gc.collect()
    tracemalloc.start()
    runs = [Run(REGISTRY) for _ in range(cached)]
    for number, run in enumerate(runs):
        run.advance(start("sequence", '"x"', number))
    gc.collect()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    for run in runs:
        run.close()
    return held / cached


def cost(work: Callable[[int], None], workflows: int) -> float:
    work(100)
    began = time.process_time()
    work(workflows)
    return (time.process_time() - began) / workflows * 1e6


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workflows", type=int, default=5000)
    parser.add_argument("--cached", type=int, default=10_000)
    options = parser.parse_args(arguments)
    for work in (kept, rebuilt):
        took = cost(work, options.workflows)
        print(f"{work.__name__:8} {took:7.1f} us/workflow {took / TURNS:6.1f} us/turn")
    first, last = steps_of_one(10_000)
    print(f"long run {first:7.1f} us/step in the first thousand, {last:.1f} in the last of ten")
    print(f"memory   {memory(options.cached) / 1000:7.1f} kB/run held, {options.cached} runs")


if __name__ == "__main__":
    main(sys.argv[1:])
