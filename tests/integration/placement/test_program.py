"""The program as it is started by hand."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest

from holdfast_placement.table import AppKey
from holdfast_proto.v1 import placement_pb2 as pb
from tests.integration.placement.client import METHOD, Sidecar
from tests.integration.placement.replicas import Replica, Replicas
from tests.support.etcd import Etcd
from tests.support.procs import wait_until

OWN_CONNECTION = [("grpc.use_local_subchannel_pool", 1)]


def run(*arguments: str, env: dict[str, str] | None = None, flags: tuple[str, ...] = ()) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, *flags, "-m", "holdfast_placement", *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
        env=env,
    )
    return done.returncode, done.stdout + done.stderr


def test_help_names_flags_and_settings() -> None:
    code, text = run("--help")
    assert code == 0
    assert "--etcd" in text
    assert "HOLDFAST_TRUST_DOMAIN" in text


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    file = tmp_path / "placement.yaml"
    file.write_text("lease: soon\nlistne: {port: 1}\netcd: {endpoints: [http://a:1]}\n")
    code, text = run("--config", str(file), "--http-port", "99999")
    assert code == 2
    assert "lease: expected a duration like '3s' or '5m', found 'soon'" in text
    assert "listne: unknown key; did you mean listen?" in text
    assert "expected host:port without a scheme, found http://a:1" in text
    assert "HOLDFAST_HTTP_PORT (http.port): expected between 0 and 65535, found '99999'" in text


@pytest.mark.parametrize(
    ("content", "found"), [("a: [", "expected a YAML file"), ("- 1", "expected a mapping, found list")]
)
def test_a_file_that_is_none_of_ours_is_named(tmp_path: Path, content: str, found: str) -> None:
    file = tmp_path / "placement.yaml"
    file.write_text(content)
    code, text = run("--config", str(file))
    assert (code, found in text) == (2, True)


@pytest.mark.parametrize("module", ["uhashring", "aiohttp", "prometheus_client", "yaml"])
def test_a_missing_extra_is_told_with_what_to_install(tmp_path: Path, module: str) -> None:
    (tmp_path / f"{module}.py").write_text(f"raise ModuleNotFoundError('no', name={module!r})")
    code, text = run(env={"PYTHONPATH": str(tmp_path)})
    assert code == 2
    assert f"needs the module '{module}': pip install 'holdfast[placement]'" in text


def test_a_second_start_on_the_same_ports_fails_at_once(etcd_server: Etcd) -> None:
    with Replicas(etcd_server.endpoints, settings={"etcd_prefix": "/double"}) as replicas:
        for taken, free in ((("--port", "port"), "--http-port"), (("--http-port", "http_port"), "--port")):
            flag, attribute = taken
            code, text = run("--etcd", etcd_server.endpoints[0], flag, str(getattr(replicas[0], attribute)), free, "0")
            assert code == 1
            assert "expected it to be free" in text


def test_a_certificate_that_is_not_there_is_named(tmp_path: Path) -> None:
    paths = {f"HOLDFAST_TLS_{name}": str(tmp_path / name) for name in ("CA", "CERT", "KEY")}
    code, text = run("--port", "0", "--http-port", "0", env=paths)
    assert code == 1
    assert "expected three PEM files" in text


def test_a_wrong_etcd_password_is_told_once_and_waited_out(etcd_server: Etcd) -> None:
    with Replicas(etcd_server.endpoints, settings={"etcd_prefix": "/password"}) as good:
        good[0].wait_ready()
    bad = Replicas(etcd_server.endpoints, settings={"etcd_user": "us", "etcd_password": "secret"})
    try:
        line = bad[0].child.wait_line("etcd cannot be followed").string
        assert "authentication is not enabled" in bad[0].child.output()
        assert "secret" not in line
        bad[0].child.wait_http(f"http://127.0.0.1:{bad[0].http_port}/readyz", status=503)
        assert bad[0].child.output().count("etcd cannot be followed") == 1
    finally:
        bad.__exit__()


async def test_a_table_reaches_500_sidecars_quickly(etcd_server: Etcd) -> None:
    """The figure is printed; the bound here only catches a fall by orders of magnitude, the machine is shared."""
    key = AppKey("default", "many")
    with Replicas(etcd_server.endpoints, settings={"etcd_prefix": "/many", "lease": "60s"}) as replicas:
        async with AsyncExitStack() as stack:
            channels = [grpc.aio.insecure_channel(replicas[0].address, options=OWN_CONNECTION) for _ in range(502)]
            for channel in channels:
                await stack.enter_async_context(channel)
            ears = [Ear(channel, f"s{number:03}", key) for number, channel in enumerate(channels[:500])]
            for ear in ears:
                await ear.say(pb.FromHost(hello=ear.hello(serving=ear is ears[0])))

            async def join(number: int, *, serving: bool) -> float:
                await asyncio.to_thread(wait_until, lambda: members(replicas[0]) == number, "all joined")
                newcomer = Ear(channels[number], f"s{number}", key)
                began = time.monotonic()
                await newcomer.say(pb.FromHost(hello=newcomer.hello(serving=serving)))
                await every(ears, lambda ear: ear.until(f"s{number}"))
                return began

            await join(500, serving=False)  # whoever has heard of it has nothing older left to hear
            started = await join(501, serving=True)
    heard = [ear.heard_at for ear in ears]
    print(
        f"500 sidecars: {(max(heard) - min(heard)) * 1000:.0f} ms from the first to the last, "
        f"{(max(heard) - started) * 1000:.0f} ms from the join on"
    )
    assert max(heard) - started < 5


class Ear:
    """A sidecar that only listens, in bytes: decoding 500 tables in one process would be all that is measured."""

    def __init__(self, channel: grpc.aio.Channel, host_id: str, app: AppKey) -> None:
        opener: Any = channel.stream_stream
        self._call = opener(METHOD)()
        self._sidecar = Sidecar((), host_id, app, partitions=1024)
        self.heard_at = 0.0

    def hello(self, *, serving: bool) -> pb.Hello:
        self._sidecar.serving = serving
        return self._sidecar.hello()

    async def say(self, message: pb.FromHost) -> None:
        await self._call.write(message.SerializeToString())

    async def until(self, host_id: str) -> None:
        """A table or a difference names the host."""
        async with asyncio.timeout(60):
            while f"{host_id}:7000".encode() not in await self._call.read():
                continue
        self.heard_at = time.monotonic()


def members(replica: Replica) -> int:
    return sum(len(app["hosts"]) for app in replica.state()["apps"])


async def every(ears: list[Ear], what: Callable[[Ear], Coroutine[None, None, None]]) -> None:
    async with asyncio.TaskGroup() as group:
        for ear in ears:
            group.create_task(what(ear))
