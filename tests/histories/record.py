"""Records the history of one of the workflows here: `python -m tests.histories.record NAME`, for a new NAME only."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from holdfast import Handle
from holdfast.testing import Cluster, save_history
from tests.histories import workflows
from tests.histories.workflows import Order

FOLDER: Final = Path(__file__).parent


async def _send(handle: Handle[Any], *events: tuple[str, Any]) -> None:
    for name, value in events:
        await handle.send(name, value)


async def _pause(handle: Handle[Any]) -> None:
    await handle.pause("lunch")
    await handle.send("answer", "yes")
    await handle.resume("back")


Then = Callable[[Handle[Any]], Awaitable[None]]


async def _nothing(_: Handle[Any]) -> None:
    """It ends by itself."""


STORIES: Final[dict[str, tuple[str, tuple[Any, ...], Then]]] = {
    "checkout": ("checkout", (Order("lamp", 30),), lambda handle: _send(handle, ("carrier", "train"))),
    "checkout-expired": ("checkout", (Order("lamp", 30),), _nothing),
    "together": ("together", (3,), _nothing),
    "stubborn": ("stubborn", (), _nothing),
    "family": ("family", (2,), _nothing),
    "rounds": (
        "rounds",
        (0,),
        lambda handle: _send(handle, ("letter", "a"), ("letter", "b"), ("letter", "c"), ("other", 1)),
    ),
    "patched": ("patched", (), _nothing),
    "versioned": ("versioned", (), _nothing),
    "by_yields": ("by_yields", (), _nothing),
    "undone": ("undone", (), _nothing),
    "steered": ("steered", (), _pause),
}


async def record(name: str, path: Path) -> None:
    workflow, inputs, then = STORIES[name]
    failures = [ConnectionError("no"), ConnectionError("not yet")] if name == "stubborn" else []

    def falter(tries: int) -> int:
        if failures:
            raise failures.pop()
        return tries

    async with Cluster(workflows) as cluster:
        cluster.fake(workflows.falter, falter)
        handle = await cluster.client.start(workflow, *inputs, id=f"recorded-{name}")
        await then(handle)
        await handle.wait()
        save_history(path, await handle.history())
    _forget_this_machine(path)


def _forget_this_machine(path: Path) -> None:
    """Tracebacks name files by their whole path."""
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(f"{FOLDER.parents[1]}/", ""), encoding="utf-8")


def main() -> None:
    for name in sys.argv[1:]:
        path = FOLDER / f"{name}.jsonl"
        if path.exists():
            sys.exit(f"{path}: a recording is for ever; give the new one another name")
        asyncio.run(record(name, path))


if __name__ == "__main__":
    main()
