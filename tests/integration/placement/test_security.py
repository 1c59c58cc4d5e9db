"""mTLS: only certificates of our authority, of our trust domain, for the very app; replaced without a restart."""

from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from holdfast_placement.table import AppKey
from tests.integration.placement.authority import Authority
from tests.integration.placement.client import METHOD, Fleet, Sidecar
from tests.integration.placement.client import fleet as running_fleet
from tests.integration.placement.replicas import Replica, Replicas
from tests.support.etcd import Etcd

KEY = AppKey("default", "orders")
OURS = "spiffe://holdfast.local/ns/default/app/orders"


class Files:
    """The replica's certificate as files, and certificates for sidecars."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.replace_authority()

    def replace_authority(self) -> None:
        self.authority = Authority()
        pair = self.authority.issue("127.0.0.1", "localhost")
        for name, content in (("ca", self.authority.pem), ("key", pair.key), ("cert", pair.cert)):
            (self.folder / f"{name}.pem").write_bytes(content)

    def sidecar(
        self, name: str = OURS, *, authority: Authority | None = None, days: int = 1
    ) -> grpc.ChannelCredentials:
        pair = (authority or self.authority).issue(name, days=days)
        return grpc.ssl_channel_credentials(self.authority.pem, pair.key, pair.cert)

    def settings(self) -> dict[str, str]:
        return {f"tls_{name}": str(self.folder / f"{name}.pem") for name in ("ca", "cert", "key")}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return Files(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def replica(etcd_server: Etcd, files: Files) -> Iterator[Replica]:
    with Replicas(
        etcd_server.endpoints, settings={"etcd_prefix": "/security", "lease": "1s", **files.settings()}
    ) as replicas:
        yield replicas[0]


@pytest.fixture
async def fleet() -> AsyncGenerator[Fleet]:
    async with running_fleet() as started:
        yield started


def sidecar(replica: Replica, name: str, credentials: grpc.ChannelCredentials | None) -> Sidecar:
    return Sidecar([replica.address], name, KEY, credentials=credentials)


async def test_the_right_identity_joins(replica: Replica, files: Files, fleet: Fleet) -> None:
    a = fleet.start(sidecar(replica, "a", files.sidecar()))
    await a.until_connected(1)
    await a.leave()


@pytest.mark.parametrize(
    ("name", "code", "text"),
    [
        ("spiffe://elsewhere.example/ns/default/app/orders", "TRUST_DOMAIN", "found elsewhere.example"),
        (
            "spiffe://holdfast.local/ns/other/app/orders",
            "IDENTITY_MISMATCH",
            "found one for spiffe://holdfast.local/ns/other",
        ),
        ("spiffe://holdfast.local/ns/default/app/billing", "IDENTITY_MISMATCH", "app/billing"),
        ("sidecar.example", "IDENTITY_MISSING", "expected exactly one spiffe:// name"),
    ],
)
async def test_another_identity_is_refused_by_name_and_logged_once(
    replica: Replica, files: Files, fleet: Fleet, name: str, code: str, text: str
) -> None:
    stranger = fleet.start(sidecar(replica, "stranger", files.sidecar(name)))
    await stranger.until(lambda: stranger.is_over)
    assert stranger.codes == [code]
    assert text in stranger.refusals[0].text
    assert [entry["code"] for entry in replica.logged("host refused")].count(code) <= 2


@pytest.mark.parametrize("kind", ["none", "other authority", "expired"])
async def test_who_cannot_prove_anything_is_not_even_heard(
    replica: Replica, files: Files, fleet: Fleet, kind: str
) -> None:
    credentials = {
        "none": grpc.ssl_channel_credentials(files.authority.pem),
        "other authority": files.sidecar(authority=Authority()),
        "expired": files.sidecar(days=-1),
    }[kind]
    async with grpc.aio.secure_channel(replica.address, credentials) as channel:
        opener: Any = channel.stream_stream
        call = opener(METHOD)(iter([b""]))
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await call.read()
        assert failed.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_replaced_certificate_is_shown_to_the_next_and_leaves_the_others_alone(
    etcd_server: Etcd, tmp_path: Path, fleet: Fleet
) -> None:
    files = Files(tmp_path)
    with Replicas(
        etcd_server.endpoints, settings={"etcd_prefix": "/rotation", "lease": "1s", **files.settings()}
    ) as replicas:
        a = fleet.start(sidecar(replicas[0], "a", files.sidecar()))
        await a.until_connected(1)
        files.replace_authority()
        b = fleet.start(sidecar(replicas[0], "b", files.sidecar()))
        await b.until_hosts("a", "b")
        await a.until_beats(3)
        assert a.connections == 1


async def test_without_tls_on_an_open_address_there_is_a_warning(etcd_server: Etcd) -> None:
    with Replicas(etcd_server.endpoints, settings={"etcd_prefix": "/open", "listen_host": "0.0.0.0"}) as replicas:
        assert replicas[0].logged("listening without TLS, whoever reaches the port can join")
