"""Valkey (or Redis) servers: one, a master with replica and sentinels, a cluster."""

from collections.abc import Callable, Sequence
from functools import partial
from types import TracebackType
from typing import Any, Self, cast

import redis

from tests.support import binaries
from tests.support.folders import new_folder, remove_folder
from tests.support.ports import free_port
from tests.support.procs import Child, wait_until

_CLUSTER_SLOTS = 16_384


class Valkey:
    """One server. With `appendonly` every answered write is on disk (appendfsync always); without, nothing survives."""

    def __init__(self, *, appendonly: bool = True, options: Sequence[str] = (), port: int | None = None) -> None:
        self.port = port or free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.folder = new_folder("valkey")
        self._options = [*(_DURABLE if appendonly else _VOLATILE), *options]
        self._child: Child | None = None

    @property
    def child(self) -> Child:
        if self._child is None:
            raise RuntimeError(f"Valkey on port {self.port}: expected to be started, call start() or use `with`")
        return self._child

    def start(self) -> None:
        """Start, or start again on the same port with what is left of the data; healthy when this returns."""
        fixed = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder), "--daemonize", "no"]
        args = [str(binaries.valkey()), *fixed, *self._options]
        self._child = Child(args, log=self.folder / "server.log", name=f"valkey {self.port}")
        self._child.wait_port(self.port)
        self.wait(lambda client: client.ping(), "answering PING")

    def kill(self) -> None:
        """SIGKILL."""
        self.child.kill()

    def stop(self) -> None:
        self.child.terminate()

    def restart(self) -> None:
        """Stop politely and start again."""
        self.stop()
        self.start()

    def pause(self) -> None:
        self.child.pause()

    def resume(self) -> None:
        self.child.resume()

    def call(self, *command: str | int) -> Any:
        """One command on a connection of its own."""
        return _call(self.port, *command)

    def wait(self, check: Callable[[Any], object], what: str) -> None:
        """Poll until `check(client)` is true; a server that is loading or not there yet counts as false."""

        def attempt() -> bool:
            try:
                with _client(self.port) as client:
                    return bool(check(client))
            except redis.RedisError:
                return False

        wait_until(attempt, f"valkey {self.port}: {what}")

    def close(self) -> None:
        if self._child:
            self._child.kill()
        remove_folder(self.folder)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()


_DURABLE = ("--appendonly", "yes", "--appendfsync", "always", "--save", "")
_VOLATILE = ("--appendonly", "no", "--save", "")


class ValkeySentinel:
    """A master, one replica and three sentinels that fail over within about two seconds."""

    master_name = "holdfast"

    def __init__(self, *, appendonly: bool = True) -> None:
        self.master = Valkey(appendonly=appendonly, options=_SYNC_AT_ONCE)
        follow = ("--replicaof", f"127.0.0.1 {self.master.port}", *_SYNC_AT_ONCE)
        self.replica = Valkey(appendonly=appendonly, options=follow)
        self.folder = new_folder("sentinel")
        self._ports = [free_port() for _ in range(3)]
        self._sentinels = list[Child]()

    @property
    def sentinels(self) -> list[tuple[str, int]]:
        return [("127.0.0.1", port) for port in self._ports]

    def master_port(self) -> int:
        """Who the first sentinel takes for the master."""
        return int(_call(self._ports[0], "SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.master_name)[1])

    def wait_failover(self, old_port: int) -> int:
        """The port of the master that took over from `old_port`, once all sentinels say so and it takes writes."""
        wait_until(lambda: all(self._has_moved(port, old_port) for port in self._ports), "sentinels: a new master")
        new = next(server for server in (self.master, self.replica) if server.port == self.master_port())
        new.wait(lambda client: client.role()[0] == "master", "being master")
        return new.port

    def _has_moved(self, sentinel: int, old_port: int) -> bool:
        state = self._state(sentinel)
        return state["flags"] == "master" and state["port"] != str(old_port)

    def _state(self, sentinel: int) -> dict[str, str]:
        return _pairs(_call(sentinel, "SENTINEL", "MASTER", self.master_name))

    def start(self) -> None:
        self.master.start()
        self.replica.start()
        self.replica.wait(
            lambda client: client.info("replication")["master_link_status"] == "up", "following the master"
        )
        self._sentinels = [self._sentinel(port) for port in self._ports]
        for port in self._ports:
            wait_until(partial(self._knows_all, port), f"sentinel {port}: knowing the other two and the replica")

    def _sentinel(self, port: int) -> Child:
        path = self.folder / f"{port}.conf"
        path.write_text(_SENTINEL.format(port=port, folder=self.folder, name=self.master_name, master=self.master.port))
        child = Child([binaries.valkey(), path, "--sentinel"], log=self.folder / f"{port}.log", name=f"sentinel {port}")
        child.wait_port(port)
        return child

    def _knows_all(self, port: int) -> bool:
        state = self._state(port)
        return (str(state["num-slaves"]), str(state["num-other-sentinels"])) == ("1", "2")

    def close(self) -> None:
        for child in self._sentinels:
            child.kill()
        self.replica.close()
        self.master.close()
        remove_folder(self.folder)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()


_SYNC_AT_ONCE = ("--repl-diskless-sync-delay", "0")
_SENTINEL = """\
port {port}
bind 127.0.0.1
dir {folder}
sentinel monitor {name} 127.0.0.1 {master} 2
sentinel down-after-milliseconds {name} 1000
sentinel failover-timeout {name} 3000
"""


class ValkeyCluster:
    """Three masters without replicas that share the slots evenly."""

    def __init__(self, *, appendonly: bool = True) -> None:
        self.nodes = [_cluster_node(appendonly) for _ in range(3)]

    @property
    def url(self) -> str:
        """The first node; a cluster client finds the others."""
        return self.nodes[0].url

    def start(self) -> None:
        for node in self.nodes:
            node.start()
        share = -(-_CLUSTER_SLOTS // len(self.nodes))
        for number, node in enumerate(self.nodes):
            first, last = number * share, min((number + 1) * share, _CLUSTER_SLOTS) - 1
            node.call("CLUSTER", "ADDSLOTSRANGE", first, last)
            node.call("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for node in self.nodes[1:]:
            self.nodes[0].call("CLUSTER", "MEET", "127.0.0.1", node.port, _bus_port(node))
        self.wait_healthy()

    def wait_healthy(self) -> None:
        """Every node sees every slot served; also for after a node was killed and started again."""
        for node in self.nodes:
            node.wait(lambda client: _is_whole(client, len(self.nodes)), "seeing the whole cluster")

    def close(self) -> None:
        for node in self.nodes:
            node.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()


def _cluster_node(appendonly: bool) -> Valkey:
    options = ["--cluster-enabled", "yes", "--cluster-port", str(free_port()), "--cluster-node-timeout", "2000"]
    return Valkey(appendonly=appendonly, options=options)


def _bus_port(node: Valkey) -> int:
    return int(_pairs(node.call("CONFIG", "GET", "cluster-port"))["cluster-port"])


def _is_whole(client: Any, size: int) -> bool:
    fields = client.cluster("INFO")
    return fields["cluster_state"] == "ok" and int(fields["cluster_known_nodes"]) == size


def _client(port: int) -> Any:
    """The client library types its answers by the protocol in use, which says nothing here."""
    return redis.Redis(port=port, decode_responses=True, socket_timeout=5)


def _call(port: int, *command: str | int) -> Any:
    with _client(port) as client:
        return client.execute_command(*command)


def _pairs(answer: Any) -> dict[str, str]:
    """A map comes as one in RESP3 and as a flat list in RESP2."""
    pairs = (
        cast("dict[str, str]", answer)
        if isinstance(answer, dict)
        else dict(zip(answer[::2], answer[1::2], strict=True))
    )
    return {key: str(value) for key, value in pairs.items()}
