"""etcd, one member or three, plain or with TLS on all sides."""

import json
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import trustme

from tests.support import binaries
from tests.support.folders import new_folder, remove_folder
from tests.support.ports import free_port
from tests.support.procs import Child, wait_until


@dataclass(frozen=True, slots=True)
class EtcdTls:
    """PEM files of a throw-away authority; the pair serves as a server's and as a client's certificate."""

    ca: Path
    cert: Path
    key: Path

    def client_context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.ca)
        context.load_cert_chain(self.cert, self.key)
        return context


class Etcd:
    """Members are numbered from 0. Elections take about half a second, so that tests of failures are quick."""

    def __init__(self, *, members: int = 1, tls: bool = False, options: Sequence[str] = ()) -> None:
        self.folder = new_folder("etcd")
        self.tls = _issue(self.folder) if tls else None
        self._options = list(options)
        self._clients = [free_port() for _ in range(members)]
        self._peers = [free_port() for _ in range(members)]
        self._children: list[Child | None] = [None] * members

    @property
    def endpoints(self) -> list[str]:
        """`host:port` of every member, in order."""
        return [f"127.0.0.1:{port}" for port in self._clients]

    @property
    def urls(self) -> list[str]:
        return [f"{self._scheme}://{endpoint}" for endpoint in self.endpoints]

    def child(self, member: int = 0) -> Child:
        if (child := self._children[member]) is None:
            raise RuntimeError(f"etcd member {member}: expected to be started, call start() or use `with`")
        return child

    def start(self, member: int | None = None) -> None:
        """Start all, or one (again, with its data); healthy, which needs a quorum, when this returns."""
        self.start_some(range(len(self._children)) if member is None else [member])

    def start_some(self, members: Sequence[int]) -> None:
        """At once, as a quorum needs them."""
        for number in members:
            self._children[number] = self._spawn(number)
        for number in members:
            self.wait_healthy(number)

    def kill(self, member: int = 0) -> None:
        """SIGKILL."""
        self.child(member).kill()

    def pause(self, member: int = 0) -> None:
        self.child(member).pause()

    def resume(self, member: int = 0) -> None:
        self.child(member).resume()

    def restart(self, member: int = 0) -> None:
        """Stop politely and start again with the same data."""
        self.child(member).terminate()
        self.start(member)

    def wait_healthy(self, member: int = 0) -> None:
        context = self.tls.client_context() if self.tls else None
        child, url = self.child(member), f"{self.urls[member]}/health"
        wait_until(
            lambda: json.loads(child.wait_http(url, context=context))["health"] == "true",
            f"etcd member {member}: healthy",
        )

    def close(self) -> None:
        for child in self._children:
            if child:
                child.kill()
        remove_folder(self.folder)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    @property
    def _scheme(self) -> str:
        return "https" if self.tls else "http"

    def _spawn(self, number: int) -> Child:
        name = f"etcd-{number}"
        peers = [f"{self._scheme}://127.0.0.1:{port}" for port in self._peers]
        settings = {
            "name": name,
            "data-dir": str(self.folder / name),
            "listen-client-urls": self.urls[number],
            "advertise-client-urls": self.urls[number],
            "listen-peer-urls": peers[number],
            "initial-advertise-peer-urls": peers[number],
            "initial-cluster": ",".join(f"etcd-{other}={url}" for other, url in enumerate(peers)),
            "initial-cluster-state": "new",
            "heartbeat-interval": "50",
            "election-timeout": "500",
            "log-level": "warn",
        }
        args = [f"--{key}={value}" for key, value in settings.items()]
        return Child(
            [binaries.etcd(), *args, *self._tls_args(), *self._options], log=self.folder / f"{name}.log", name=name
        )

    def _tls_args(self) -> list[str]:
        if self.tls is None:
            return []
        files = {"cert-file": self.tls.cert, "key-file": self.tls.key, "trusted-ca-file": self.tls.ca}
        sides = [f"--{side}{key}={path}" for side in ("", "peer-") for key, path in files.items()]
        return [*sides, "--client-cert-auth", "--peer-client-cert-auth"]


def _issue(folder: Path) -> EtcdTls:
    authority = trustme.CA()
    pair = authority.issue_cert("127.0.0.1", "localhost")
    tls = EtcdTls(folder / "ca.pem", folder / "cert.pem", folder / "key.pem")
    authority.cert_pem.write_to_path(str(tls.ca))
    pair.private_key_pem.write_to_path(str(tls.key))
    for blob in pair.cert_chain_pems:
        blob.write_to_path(str(tls.cert), append=True)
    return tls
