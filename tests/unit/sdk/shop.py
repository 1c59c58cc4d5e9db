"""A small shop that tests of the replay engine run."""

from __future__ import annotations

import holdfast
from holdfast import Context


@holdfast.activity
async def charge(amount: int) -> str:
    return f"receipt for {amount}"


@holdfast.activity
def refund(amount: int) -> None:
    del amount


@holdfast.workflow
async def five(ctx: Context, amount: int) -> list[str]:
    return [await ctx.call(charge, amount + step) for step in range(5)]
