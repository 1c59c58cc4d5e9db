"""The process beside the sidecar: a worker, a driver of load, or both, as its standard input says.

    python -m bench.app CLIENT ADDRESS     run in the client's own environment, by `bench.processes`

One command per line, a JSON object; `say` writes one event per line.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from contextlib import AsyncExitStack
from importlib import import_module
from typing import Any

from bench.clients import MARKS, Caller, Client
from bench.loads import Load, Took

LOADS = ("closed", "open", "batch", "burst", "stubborn", "events")


def say(event: str, **facts: object) -> None:
    print(json.dumps({"event": event, "at": time.monotonic(), **facts}), flush=True)


class App:
    def __init__(self, client: Client, address: str, stack: AsyncExitStack) -> None:
        self._client = client
        self._address = address
        self._stack = stack
        self._caller: Caller | None = None

    async def obey(self, do: str, **options: Any) -> None:
        match do:
            case "serve":
                await self._stack.enter_async_context(self._client.serving(self._address, **options))
                say("serving")
            case "mark":
                MARKS.wanted, MARKS.tell = frozenset(options["numbers"]), lambda number: say("mark", number=number)
                say("marking")
            case "load":
                await self._load(**options)
            case _:
                raise ValueError(f"command {do!r}: expected serve, mark or load")

    async def _load(self, *, kind: str, prefix: str, options: dict[str, Any]) -> None:
        if kind not in LOADS:
            raise ValueError(f"load {kind!r}: expected one of {', '.join(LOADS)}")
        if self._caller is None:
            self._caller = await self._stack.enter_async_context(self._client.calling(self._address))
        load = Load(self._caller, prefix=prefix, measuring=lambda: say("measuring"), over=lambda: say("over"))
        took: Took = await getattr(load, kind)(**options)
        say("measured", seconds=took.seconds, each=took.each, numbers=took.numbers)


async def main(client: str, address: str) -> None:
    module: Any = import_module(f"bench.clients.{client}")
    reader = asyncio.StreamReader(limit=2**24)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async with AsyncExitStack() as stack:
        app = App(module, address, stack)
        say("here", version=module.VERSION, python=sys.version.split()[0])
        while line := await reader.readline():
            await app.obey(**json.loads(line))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
