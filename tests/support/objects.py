"""Workflows that are objects: a register and a bag that several clients use at once. Short generations, so that much of
what is sent to them arrives while one run takes the place of another.

An operation of the register is a workflow, too (`asker`): it asks by an event and is told by an event, so both go from
sidecar to sidecar, and its end is the moment at which the answer is known.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import holdfast
from tests.support.linear import Kind

GENERATION: Final = 7  # events


@dataclass(frozen=True)
class Memory:
    """`left`: how many questions come before it ends. One that was heard twice, or never, shows in the last one."""

    left: int
    value: int = 0


@dataclass(frozen=True)
class Question:
    register: str
    kind: str
    value: int = 0
    expected: int = 0
    asker: str = ""


@dataclass(frozen=True)
class Reply:
    value: int
    is_done: bool = True


@holdfast.workflow
async def register(ctx: holdfast.Context, memory: Memory) -> int:
    """Its status is its value, for those who only look."""
    ctx.set_status(memory.value)
    for _ in range(GENERATION):
        if not memory.left:
            return memory.value
        question = await ctx.event("question", Question)
        memory, reply = _answered(memory, question)
        ctx.set_status(memory.value)
        ctx.send_event(question.asker, "reply", reply)
    ctx.continue_as_new(memory)


def _answered(memory: Memory, question: Question) -> tuple[Memory, Reply]:
    left = memory.left - 1
    if question.kind == Kind.READ:
        return Memory(left, memory.value), Reply(memory.value)
    if question.kind == Kind.SWAP and question.expected != memory.value:
        return Memory(left, memory.value), Reply(memory.value, is_done=False)
    return Memory(left, question.value), Reply(question.value)


@holdfast.workflow
async def asker(ctx: holdfast.Context, question: Question) -> Reply:
    ctx.send_event(question.register, "question", replace(question, asker=ctx.instance_id))
    return await ctx.event("reply", Reply)


@holdfast.workflow
async def bag(ctx: holdfast.Context, kept: list[int]) -> list[int]:
    """Everything that was ever added, as often as it was; an empty list closes it."""
    for _ in range(GENERATION):
        added = await ctx.event("add", list[int])
        if not added:
            return sorted(kept)
        kept = [*kept, *added]
    ctx.continue_as_new(kept)
