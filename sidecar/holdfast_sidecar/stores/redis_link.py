"""Talking to one Redis server: scripts by their hash, many in one round trip, errors named."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha1
from importlib.resources import files
from typing import Final, NamedTuple, Protocol, TypeAlias, cast

import hiredis
from msgspec import Struct
from redis.exceptions import NoScriptError, OutOfMemoryError, RedisError, ResponseError

from holdfast_sidecar.stores.contract import StoreError, StoreFull
from holdfast_sidecar.stores.redis_rows import Arg

Command: TypeAlias = tuple[Arg, ...]
_pack: Final = cast("Callable[[Command], bytes]", hiredis.pack_command)  # redis-py's own packing costs three times this
_ARGS_MAX: Final = 100_000  # of one command; the server refuses a million
_BYTES_MAX: Final = 16 * 1024 * 1024  # of one command, beyond its first item: a script blocks the server


class Item(NamedTuple):
    """One item of a script's call. Scripts take many: first their number, then item after item."""

    partition: int
    keys: Sequence[str]
    args: Sequence[Arg]
    weight: int = 0  # bytes of payload


class Script(Struct, frozen=True):
    text: str
    sha: str
    items_max: int  # in one call, so that none blocks the server for long
    is_write: bool


def script(name: str, *, items_max: int, is_write: bool = False) -> Script:
    text = (files("holdfast_sidecar.stores") / "lua" / f"{name}.lua").read_text(encoding="utf-8")
    digest = sha1(text.encode(), usedforsecurity=False).hexdigest()
    return Script(text, digest, items_max, is_write)


def calls(wanted: Script, items: Sequence[Item]) -> Iterator[tuple[Command, int]]:
    """Commands that run the script over all items, in order, each with the number of its items."""
    keys, args, weight, count = list[str](), list[Arg](), 0, 0
    for item in items:
        weight += item.weight
        if count and (count == wanted.items_max or len(args) > _ARGS_MAX or weight > _BYTES_MAX):
            yield _call(wanted, keys, args, count), count
            keys, args, weight, count = [], [], item.weight, 0
        keys += item.keys
        args += item.args
        count += 1
    if count:
        yield _call(wanted, keys, args, count), count


def _call(wanted: Script, keys: Sequence[str], args: Sequence[Arg], count: int) -> Command:
    return ("EVALSHA", wanted.sha, len(keys), *keys, count, *args)


class Connection(Protocol):
    """What is used of redis-py's connections."""

    async def send_packed_command(self, command: Sequence[bytes], check_health: bool) -> None: ...
    async def read_response(self, disable_decoding: bool) -> object: ...
    async def disconnect(self, nowait: bool) -> None: ...


class Pool(Protocol):
    """What is used of redis-py's pools."""

    async def get_connection(self) -> Connection: ...
    async def release(self, connection: Connection) -> None: ...
    async def disconnect(self, inuse_connections: bool = True) -> None: ...


class LinkSettings(Struct, frozen=True, kw_only=True):
    timeout_s: float = 5.0  # of one round trip, connecting included
    connections_max: int = 8
    wait_replicas: int = 0  # replicas that must have a write before it counts
    wait_timeout_ms: int = 1000


class Node:
    """One server, or whoever is the master now. Calls that failed for the connection are never repeated here: a commit
    that was applied and is sent again would look like a conflict."""

    def __init__(self, name: str, pool: Pool, settings: LinkSettings) -> None:
        self.name = name
        self._pool = pool
        self._settings = settings
        self._free = asyncio.Semaphore(settings.connections_max)

    async def close(self) -> None:
        await self._pool.disconnect()

    async def run(self, wanted: Script, commands: Sequence[Command]) -> list[object]:
        """A reply or a ResponseError per command. A server that does not know the script gets it, and then again what
        it has refused for that."""
        replies = await self.call(self._with_wait(wanted, commands))
        missing = [number for number in range(len(commands)) if isinstance(replies[number], NoScriptError)]
        if missing:
            again = self._with_wait(wanted, [commands[number] for number in missing])
            _, *fresh = await self.call([("SCRIPT", "LOAD", wanted.text), *again])
            for number, reply in zip(missing, fresh, strict=False):
                replies[number] = reply
            replies[len(commands) :] = fresh[len(missing) :]
        self._check_replicas(replies[len(commands) :])
        return replies[: len(commands)]

    def _with_wait(self, wanted: Script, commands: Sequence[Command]) -> Sequence[Command]:
        if not (wanted.is_write and self._settings.wait_replicas):
            return commands
        return [*commands, ("WAIT", self._settings.wait_replicas, self._settings.wait_timeout_ms)]

    def _check_replicas(self, acknowledged: Sequence[object]) -> None:
        for count in acknowledged:
            if not isinstance(count, int) or count < self._settings.wait_replicas:
                raise StoreError(
                    f"redis {self.name}: expected {self._settings.wait_replicas} replicas to have the write within "
                    f"{self._settings.wait_timeout_ms} ms, found {count}; look at the replication of this server"
                )

    async def call(self, commands: Sequence[Command]) -> list[object]:
        """One round trip."""
        try:
            async with self._free, asyncio.timeout(self._settings.timeout_s):
                connection = await self._pool.get_connection()
                try:
                    return await _talk(connection, commands)
                except BaseException:
                    await connection.disconnect(nowait=True)  # answers may still come, and must meet no other call
                    raise
                finally:
                    await self._pool.release(connection)
        except TimeoutError as error:
            raise StoreError(f"redis {self.name}: no answer within {self._settings.timeout_s} s") from error
        except (RedisError, OSError) as error:
            raise StoreError(f"redis {self.name}: {error or type(error).__name__}") from error


async def _talk(connection: Connection, commands: Sequence[Command]) -> list[object]:
    try:
        await connection.send_packed_command([_pack(command) for command in commands], check_health=False)
    except RuntimeError as error:  # uvloop's word for a connection that was closed under us
        raise ConnectionError(str(error)) from error
    replies = list[object]()
    for _ in commands:
        try:
            replies.append(await connection.read_response(disable_decoding=True))
        except ResponseError as error:
            replies.append(error)
    return replies


def check(replies: Sequence[object], *, server: str) -> None:
    """Raises when a command failed."""
    failed = [reply for reply in replies if isinstance(reply, ResponseError)]
    if failed:
        raise _failure(failed, is_all=len(failed) == len(replies), server=server)


def answers(reply: object) -> list[object]:
    """A script's answers, one per item."""
    return cast("list[object]", reply)


def _failure(failed: Sequence[ResponseError], *, is_all: bool, server: str) -> StoreError:
    """StoreFull only if nothing at all was written: a part that was written is for the caller to find out."""
    text = f"redis {server}: {type(failed[0]).__name__}: {failed[0]}"
    if is_all and all(map(_is_full, failed)):
        return StoreFull(f"{text}; nothing was written; give the server more memory or disk")
    return StoreError(text)


def _is_full(error: ResponseError) -> bool:
    return isinstance(error, OutOfMemoryError) or str(error).startswith(("OOM", "MISCONF"))
