"""Sidecars that cannot join: each is told why, says so once, and those that are in are not troubled."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest

from holdfast.client import Client
from tests.integration.cluster.processes import Member
from tests.integration.crash.processes import App
from tests.integration.placement.replicas import Replicas
from tests.support.etcd import Etcd
from tests.support.procs import wait_until
from tests.support.valkey import Valkey

_HEARD_S = 2.5  # in which a loop of refusals would be seen
_REFUSED = "placement refused this host"


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    """Certificates of a development authority: app, other, and app of a domain that is not ours."""
    folder = tmp_path / "certs"
    _certs("app", "other", "--out", str(folder))
    _certs("stranger", "--out", str(folder), "--trust-domain", "elsewhere.test")
    _certs("late", "--out", str(folder), "--days", "0")
    _certs("--out", str(folder))  # placement's own was issued anew by the calls before
    return folder


def _certs(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "holdfast_cli", "certs", *arguments], check=True, capture_output=True)


def _tls(folder: Path, name: str) -> dict[str, str]:
    return {
        "HOLDFAST_PLACEMENT_TLS_CERTIFICATE": str(folder / f"{name}.crt"),
        "HOLDFAST_PLACEMENT_TLS_KEY": str(folder / f"{name}.key"),
        "HOLDFAST_PLACEMENT_TLS_AUTHORITY": str(folder / "ca.crt"),
    }


def _placement_tls(folder: Path) -> dict[str, str]:
    return {
        "tls_ca": str(folder / "ca.crt"),
        "tls_cert": str(folder / "placement.crt"),
        "tls_key": str(folder / "placement.key"),
    }


class Room:
    """Placement and a store, and sidecars as a test wants them."""

    def __init__(self, folder: Path, placement: Replicas, store: str) -> None:
        self.placement = placement
        self._folder = folder
        self.store = store
        self.members: list[Member] = []

    def member(self, name: str, env: Mapping[str, str] | None = None, *, placement: Sequence[str] = ()) -> Member:
        addresses = placement or self.placement.addresses
        made = Member(self._folder, name=name, store=self.store, placement=addresses, env=env)
        made.start()
        self.members.append(made)
        return made


@contextmanager
def _room(folder: Path, etcd: Etcd, settings: Mapping[str, str] | None = None) -> Generator[Room]:
    with Valkey() as valkey, Replicas(etcd.endpoints, settings={"lease": "1s", **(settings or {})}) as placement:
        room = Room(folder, placement, valkey.url)
        try:
            yield room
        finally:
            for member in room.members:
                member.close()


def _said_once(member: Member, message: str, *causes: str) -> None:
    """The log holds one line with this message in all the time in which it is tried again, and it names the cause."""
    wait_until(lambda: member.logged(message), f"{member.name}: {message}")
    time.sleep(_HEARD_S)
    lines = member.logged(message)
    assert len(lines) == 1, lines
    assert all(cause in str(lines[0]) for cause in causes), lines
    assert member.process.is_running


@pytest.fixture
def own_etcd() -> Generator[Etcd]:
    with Etcd() as etcd:
        yield etcd


def test_a_second_host_of_the_same_id_is_refused_and_the_first_one_stays(own_etcd: Etcd, tmp_path: Path) -> None:
    with _room(tmp_path, own_etcd) as room:
        first = room.member("twin")
        with App(tmp_path, first.address).child:
            wait_until(lambda: first.logged("joined placement"), "the first one in")
            (tmp_path / "second").mkdir()
            second = Member(tmp_path / "second", name="twin", store=room.store, placement=room.placement.addresses)
            room.members.append(second)
            second.start()
            _said_once(second, _REFUSED, "twin", f"127.0.0.1:{first.peer_port}", f"127.0.0.1:{second.peer_port}")
            assert not first.logged(_REFUSED)
            wait_until(lambda: first.owned > 0, "the first one owning partitions")
            assert second.owned == 0


@pytest.mark.parametrize(
    ("name", "code", "cause"),
    [("other", "IDENTITY_MISMATCH", "app/other"), ("stranger", "TRUST_DOMAIN", "elsewhere.test")],
)
def test_a_certificate_of_somebody_else_does_not_get_in(
    name: str, code: str, cause: str, own_etcd: Etcd, authority: Path, tmp_path: Path
) -> None:
    with _room(tmp_path, own_etcd, _placement_tls(authority)) as room:
        member = room.member("guest", _tls(authority, name))
        _said_once(member, _REFUSED, cause)
        assert f'code="{code}"'.encode() in room.placement[0].get("/metrics")


def test_an_expired_certificate_is_named_as_the_cause_once(own_etcd: Etcd, authority: Path, tmp_path: Path) -> None:
    with _room(tmp_path, own_etcd, _placement_tls(authority)) as room:
        member = room.member("late", _tls(authority, "late"))
        _said_once(member, "this sidecar's certificate has expired", "replace the file")
        assert len(member.logged("placement is away")) == 1


def test_a_sidecar_without_a_certificate_does_not_get_in(own_etcd: Etcd, authority: Path, tmp_path: Path) -> None:
    with _room(tmp_path, own_etcd, _placement_tls(authority)) as room:
        member = room.member("plain")
        _said_once(member, "placement is away", room.placement.addresses[0])
        assert not member.logged("joined placement")


def test_another_number_of_partitions_or_namespace_than_the_stores_ends_the_program(
    own_etcd: Etcd, tmp_path: Path
) -> None:
    with _room(tmp_path, own_etcd) as room:
        first = room.member("first")
        wait_until(lambda: first.logged("joined placement"), "the first one in")
        for env, cause in (
            ({"HOLDFAST_PARTITIONS": "128"}, "256"),
            ({"HOLDFAST_NAMESPACE": "elsewhere"}, "elsewhere"),
        ):
            member = room.member(f"wrong-{cause}", env)
            assert member.process.wait_exit() == 2
            [said] = member.logged("cannot start")
            assert all(text in str(said) for text in (cause, *env.values()))


def test_another_number_of_partitions_than_placements_is_refused(own_etcd: Etcd, tmp_path: Path) -> None:
    with _room(tmp_path, own_etcd) as room, Valkey() as elsewhere:
        first = room.member("first")
        wait_until(lambda: first.logged("joined placement"), "the first one in")
        member = Member(
            tmp_path,
            name="fewer",
            store=elsewhere.url,
            placement=room.placement.addresses,
            env={"HOLDFAST_PARTITIONS": "128"},
        )
        room.members.append(member)
        member.start()
        _said_once(member, _REFUSED, "128", "256")


async def test_a_client_without_the_token_is_turned_away(own_etcd: Etcd, tmp_path: Path) -> None:
    with _room(tmp_path, own_etcd) as room:
        member = room.member("closed", {"HOLDFAST_API_TOKEN": "a secret of this test"})
        member.process.wait_http(f"http://127.0.0.1:{member.http_port}/v1.0/healthz", status=204)
        channel: grpc.aio.Channel
        async with grpc.aio.insecure_channel(member.address) as channel:
            method: grpc.aio.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream("/holdfast.v1.Worker/Work")
            call = method(iter(()))
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await call.read()
        assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
        with pytest.raises(Exception, match="token"):
            async with Client(member.address) as client:
                await client.start("nothing", None)
