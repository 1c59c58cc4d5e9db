"""A sidecar as a process: it starts or says why not, drains, dies and comes back."""

import json
import resource
import signal
import socket
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from holdfast_proto.v1 import client_pb2 as pb
from tests.integration.running.sidecars import Running, hello, run_holdfast, work_items
from tests.support.ports import free_port
from tests.support.procs import wait_until
from tests.support.valkey import Valkey


@pytest.fixture
def sidecar(tmp_path: Path) -> Iterator[Running]:
    with Running(tmp_path) as running:
        yield running


def fresh_flags(tmp_path: Path) -> list[str | Path]:
    return ["--grpc-port", str(free_port()), "--http-port", str(free_port()), "--data-dir", tmp_path / "other"]


def test_it_says_in_one_line_where_it_is(sidecar: Running) -> None:
    line = json.loads(sidecar.child.wait_line(r'.*"sidecar is ready".*')[0])
    assert line["grpc"] == f"127.0.0.1:{sidecar.grpc_port}"
    assert line["http"] == f"127.0.0.1:{sidecar.http_port}"
    assert str(sidecar.data_dir) in line["store"]
    assert line["version"]


def test_it_answers_grpc_and_http(sidecar: Running) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{sidecar.grpc_port}") as channel:
        assert hello(channel) == b""
    assert sidecar.call("GET", "/v1.0/healthz").status == 204


@pytest.mark.parametrize("which", ["grpc", "http"])
def test_a_second_one_on_the_same_port_ends_at_once(sidecar: Running, tmp_path: Path, which: str) -> None:
    flags = fresh_flags(tmp_path)
    taken = sidecar.grpc_port if which == "grpc" else sidecar.http_port
    flags[flags.index(f"--{which}-port") + 1] = str(taken)
    second = run_holdfast("dev", *flags)
    assert second.returncode == 2
    assert f"{which} on 127.0.0.1 port {taken}: cannot listen, process {sidecar.child.pid}" in second.stderr
    assert second.stderr.count("cannot start") == 1
    assert not (tmp_path / "other").exists()
    assert sidecar.call("GET", "/v1.0/healthz/outbound").status == 204


def test_a_second_one_on_the_same_directory_ends_at_once(sidecar: Running, tmp_path: Path) -> None:
    flags = fresh_flags(tmp_path)
    flags[-1] = sidecar.data_dir
    second = run_holdfast("dev", *flags)
    assert second.returncode == 2
    assert str(sidecar.data_dir) in second.stderr
    assert f"process {sidecar.child.pid}" in second.stderr
    assert sidecar.call("GET", "/v1.0/healthz/outbound").status == 204


def test_all_problems_of_a_configuration_come_together(tmp_path: Path) -> None:
    file = tmp_path / "holdfast.yaml"
    file.write_text("prots: 1\npartitions: none\nstore: mysql://x\n")
    ended = run_holdfast("sidecar", "--config", file, env={"HOLDFAST_HTTP_PORT": "-1"})
    assert ended.returncode == 2
    for subject in ("prots", "partitions", "store", "HOLDFAST_HTTP_PORT"):
        assert f"\n  {subject}" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_file_configures_it(tmp_path: Path) -> None:
    file = tmp_path / "holdfast.yaml"
    file.write_text("app_id: from-file\nstore: 'memory:'\nhttp_port: 1\n")
    with Running(tmp_path, "--config", file, command="sidecar") as running:
        assert running.call("GET", "/v1.0/metadata").body["id"] == "from-file"
        assert not running.data_dir.exists()


def test_data_of_a_newer_release_is_left_alone(tmp_path: Path) -> None:
    with Running(tmp_path) as running:
        assert running.child.terminate() == 0
    database = running.data_dir / "holdfast.db"
    with sqlite3.connect(database) as connection:
        (name,) = connection.execute("SELECT name FROM meta WHERE name LIKE '%layout%'").fetchone()
        connection.execute("UPDATE meta SET value = 999 WHERE name = ?", (name,))
    connection.close()
    ended = run_holdfast("dev", "--data-dir", running.data_dir, *fresh_flags(tmp_path)[:4])
    assert ended.returncode == 2
    assert "999" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_another_number_of_partitions_is_refused(tmp_path: Path) -> None:
    with Running(tmp_path) as running:
        assert running.child.terminate() == 0
    flags = ("dev", "--data-dir", running.data_dir, *fresh_flags(tmp_path)[:4])
    ended = run_holdfast(*flags, env={"HOLDFAST_PARTITIONS": "16"})
    assert ended.returncode == 2
    assert "1024" in ended.stderr


def test_what_was_acknowledged_is_there_after_kill_9(sidecar: Running) -> None:
    for number in range(20):
        answer = sidecar.call("POST", f"/v1.0/workflows/dapr/job/start?instanceID=i-{number}", b'{"n":1}')
        assert answer.status == 202
    sidecar.child.kill()
    sidecar.start()
    listed = sidecar.ready().call("GET", "/api/v1/instances?prefix=i-").body["instances"]
    assert sorted(item["id"] for item in listed) == sorted(f"i-{number}" for number in range(20))
    assert sidecar.call("POST", "/v1.0/workflows/dapr/i-0/raiseEvent/x", b"1").status == 202


def test_sigterm_ends_it_with_code_0_and_frees_what_it_held(sidecar: Running, tmp_path: Path) -> None:
    sidecar.call("POST", "/v1.0/workflows/dapr/job/start?instanceID=left", b"1")
    assert sidecar.child.terminate() == 0
    sidecar.start()
    assert sidecar.ready().call("GET", "/v1.0/workflows/dapr/left").body["runtimeStatus"] == "PENDING"


def test_sigterm_answers_who_waits(sidecar: Running) -> None:
    """A long poll must not hold up the end, and its caller gets an answer or a closed connection."""
    sidecar.call("POST", "/v1.0/workflows/dapr/job/start?instanceID=w", b"1")
    with socket.create_connection(("127.0.0.1", sidecar.http_port)) as connection:
        connection.sendall(b"GET /api/v1/instances/w/wait?timeout=1m HTTP/1.1\r\nHost: x\r\n\r\n")
        assert sidecar.call("GET", "/v1.0/healthz").status == 204
        assert sidecar.child.terminate(timeout=10) == 0
        connection.settimeout(5)
        assert b'"Instance' not in connection.recv(4096)


def test_sigterm_while_busy_writes_what_it_acknowledged(sidecar: Running) -> None:
    """Starts go on while the signal comes: each that was answered OK is there afterwards."""
    target = f"127.0.0.1:{sidecar.grpc_port}"
    acknowledged = list[str]()
    with grpc.insecure_channel(target) as channel:
        once = channel.unary_unary(
            "/holdfast.v1.Client/Once",
            request_serializer=pb.Request.SerializeToString,
            response_deserializer=pb.Reply.FromString,
        )
        calls = {
            f"b-{n}": once.future(pb.Request(id=n, start=pb.StartRequest(instance_id=f"b-{n}", name="job")), timeout=20)
            for n in range(500)
        }
        assert calls["b-0"].result().WhichOneof("kind") == "started"
        sidecar.child.signal(signal.SIGTERM)
        for instance_id, call in calls.items():
            if call.exception() is None and call.result().WhichOneof("kind") == "started":
                acknowledged.append(instance_id)
        assert sidecar.child.wait_exit() == 0
    sidecar.start()
    sidecar.ready()
    missing = [i for i in acknowledged if sidecar.call("GET", f"/v1.0/workflows/dapr/{i}").status != 200]
    assert missing == []


def test_a_worker_that_holds_a_turn_cannot_hold_up_the_end(tmp_path: Path) -> None:
    with Running(tmp_path, env={"HOLDFAST_DRAIN_LIMIT": "300ms"}) as sidecar:
        target = f"127.0.0.1:{sidecar.grpc_port}"
        with grpc.insecure_channel(target) as channel:
            stream = work_items(channel)
            sidecar.call("POST", "/v1.0/workflows/dapr/job/start?instanceID=held", b"1")
            assert next(stream)
            assert sidecar.call("GET", "/api/v1/instances/held").body["status"] == "PENDING"
            assert sidecar.child.terminate(timeout=10) == 0


def test_a_full_disk_refuses_starts_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    """The limit of a process's files stands in for a full disk: it needs no rights, and a write fails as well."""
    with Running(tmp_path) as sidecar:
        assert sidecar.call("POST", "/v1.0/workflows/dapr/job/start?instanceID=before", b"1").status == 202
        size = max(path.stat().st_size for path in sidecar.data_dir.iterdir())
        _limit_files(sidecar.child.pid, size + 100_000)
        refused = wait_until(lambda: _refusal(sidecar), "a start that is refused")
        assert refused["errorCode"] in ("StorageFull", "Unavailable")
        assert sidecar.child.is_running
        assert sidecar.call("GET", "/v1.0/workflows/dapr/before").status == 200
        _limit_files(sidecar.child.pid, -1)
        wait_until(lambda: sidecar.call("POST", "/api/v1/instances", b'{"name": "job"}').status == 202, "a start")


def _refusal(sidecar: Running) -> dict[str, str] | None:
    answer = sidecar.call("POST", "/api/v1/instances", b'{"name": "job", "input": "' + b"x" * 50_000 + b'"}')
    return None if answer.status == 202 else answer.body


def _limit_files(pid: int, size: int) -> None:
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, -1))


def test_the_token_guards_both_ways_in(tmp_path: Path) -> None:
    with Running(tmp_path, env={"HOLDFAST_API_TOKEN": "s3cret"}) as sidecar:
        assert sidecar.call("GET", "/api/v1/instances").status == 401
        assert sidecar.call("GET", "/api/v1/instances", headers={"dapr-api-token": "s3cret"}).status == 200
        with grpc.insecure_channel(f"127.0.0.1:{sidecar.grpc_port}") as channel:
            with pytest.raises(grpc.RpcError, match="UNAUTHENTICATED"):
                hello(channel)
            with pytest.raises(grpc.RpcError, match="UNAUTHENTICATED"):
                next(work_items(channel))
            for name in ("dapr-api-token", "holdfast-api-token"):
                assert hello(channel, "s3cret", name) == b""
        assert "s3cret" not in sidecar.child.output()


def test_without_placement_the_last_one_on_a_store_is_the_only_one(tmp_path: Path, valkey_server: Valkey) -> None:
    """Two would fight for every partition, so the earlier one ends, and says why."""
    store = f"{valkey_server.url}?prefix={tmp_path.name}"
    folders = [tmp_path / "first", tmp_path / "second"]
    for folder in folders:
        folder.mkdir()
    with Running(folders[0], "--store", store) as first:
        assert first.call("POST", "/v1.0/workflows/dapr/job/start?instanceID=kept", b"1").status == 202
        with Running(folders[1], "--store", store) as second:
            first.call("POST", "/v1.0/workflows/dapr/job/start", b"1")
            assert first.child.wait_exit() == 1
            first.child.wait_line("another sidecar took this store's partitions")
            assert second.call("GET", "/v1.0/workflows/dapr/kept").status == 200


def test_inspect_reads_a_running_sidecar_and_a_stopped_ones_directory(sidecar: Running) -> None:
    sidecar.call("POST", "/v1.0/workflows/dapr/job/start?instanceID=look", b'{"n":1}')
    live = run_holdfast("inspect", "look", "--address", sidecar.url)
    assert live.returncode == 0
    held = run_holdfast("inspect", "look", "--data-dir", sidecar.data_dir)
    assert (held.returncode, f"process {sidecar.child.pid}" in held.stderr) == (2, True)
    assert run_holdfast("inspect", "nobody", "--address", sidecar.url).returncode == 1
    sidecar.child.terminate()
    stored = run_holdfast("inspect", "look", "--data-dir", sidecar.data_dir)
    assert stored.returncode == 0
    assert json.loads(stored.stdout) == json.loads(live.stdout)
    assert json.loads(stored.stdout)["inbox-000000"]["input"] == {"n": 1}
    nobody = run_holdfast("inspect", "nobody", "--data-dir", sidecar.data_dir)
    assert (nobody.returncode, "no such instance" in nobody.stderr) == (1, True)


def test_a_clock_that_was_set_back_does_not_lock_us_out(tmp_path: Path) -> None:
    with Running(tmp_path) as sidecar:
        assert sidecar.child.terminate() == 0
    with sqlite3.connect(sidecar.data_dir / "holdfast.db") as connection:
        connection.execute("UPDATE fence SET epoch = epoch + 3600000000")
    connection.close()
    sidecar.start()
    with sidecar:
        assert sidecar.call("POST", "/v1.0/workflows/dapr/job/start", b"1").status == 202
        assert "fences are ahead of the clock" in sidecar.child.output()
