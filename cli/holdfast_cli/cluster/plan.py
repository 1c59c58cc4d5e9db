"""Which processes a local cluster has, and how each is started. Values only; `run.py` starts them."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

HOST: Final = "127.0.0.1"
HOLDFAST: Final = (sys.executable, "-m", "holdfast_cli")


@dataclass(frozen=True)
class Wanted:
    """What the user asked for. Ports count up from their base, one per process."""

    folder: Path
    sidecars: int = 3
    placements: int = 3
    etcds: int = 1
    store: str = ""  # empty: a Valkey or Redis of our own
    grpc_base: int = 50001
    http_base: int = 3500
    peer_base: int = 50101
    placement_base: int = 50201
    page_base: int = 8081
    etcd_base: int = 2379
    redis_port: int = 6379
    lease: str = "3s"
    partitions: int = 1024


@dataclass(frozen=True)
class Part:
    """One process. It is ready when its port answers."""

    name: str
    command: tuple[str, ...]
    port: int
    environ: dict[str, str] = field(default_factory=dict[str, str])
    note: str = ""  # what a person may want to open


def parts(wanted: Wanted, *, etcd: Path, redis: Path | None) -> list[Part]:
    """In the order of starting: each needs those before it."""
    found = [_etcd(wanted, number, etcd) for number in range(wanted.etcds)]
    if redis is not None:
        found.append(_redis(wanted, redis))
    found += [_placement(wanted, number) for number in range(wanted.placements)]
    found += [_sidecar(wanted, number) for number in range(wanted.sidecars)]
    return found


def store_of(wanted: Wanted) -> str:
    return wanted.store or f"redis://{HOST}:{wanted.redis_port}/0"


def _etcd(wanted: Wanted, number: int, binary: Path) -> Part:
    name, port, peer = f"etcd-{number}", wanted.etcd_base + 2 * number, wanted.etcd_base + 2 * number + 1
    members = ",".join(f"etcd-{n}=http://{HOST}:{wanted.etcd_base + 2 * n + 1}" for n in range(wanted.etcds))
    flags = {
        "name": name,
        "data-dir": str(wanted.folder / name),
        "listen-client-urls": f"http://{HOST}:{port}",
        "advertise-client-urls": f"http://{HOST}:{port}",
        "listen-peer-urls": f"http://{HOST}:{peer}",
        "initial-advertise-peer-urls": f"http://{HOST}:{peer}",
        "initial-cluster": members,
        "logger": "zap",
        "log-level": "warn",
    }
    return Part(name, (str(binary), *(f"--{key}={value}" for key, value in flags.items())), port)


def _redis(wanted: Wanted, binary: Path) -> Part:
    folder = wanted.folder / "store"
    flags = ("--dir", str(folder), "--bind", HOST, "--appendonly", "yes", "--appendfsync", "always", "--save", "")
    return Part("store", (str(binary), "--port", str(wanted.redis_port), *flags), wanted.redis_port)


def _placement(wanted: Wanted, number: int) -> Part:
    port, page = wanted.placement_base + number, wanted.page_base + number
    etcds = ",".join(f"{HOST}:{wanted.etcd_base + 2 * n}" for n in range(wanted.etcds))
    flags = ("--port", str(port), "--http-port", str(page), "--etcd", etcds, "--lease", wanted.lease)
    name = f"placement-{number}"
    return Part(
        name,
        (*HOLDFAST, "placement", "--replica-id", name, *flags),
        port,
        note=f"members and table: http://{HOST}:{page}/",
    )


def _sidecar(wanted: Wanted, number: int) -> Part:
    port, http = wanted.grpc_base + number, wanted.http_base + number
    environ = {
        "HOLDFAST_GRPC_PORT": str(port),
        "HOLDFAST_HTTP_PORT": str(http),
        "HOLDFAST_STORE": store_of(wanted),
        "HOLDFAST_PARTITIONS": str(wanted.partitions),
        "HOLDFAST_DATA_DIR": str(wanted.folder / f"sidecar-{number}"),
        "HOLDFAST_PLACEMENT_HOST_ID": f"sidecar-{number}",
        "HOLDFAST_PLACEMENT_PEER_PORT": str(wanted.peer_base + number),
        "HOLDFAST_PLACEMENT_ADDRESSES": ",".join(
            f"{HOST}:{wanted.placement_base + n}" for n in range(wanted.placements)
        ),
    }
    return Part(
        f"sidecar-{number}", (*HOLDFAST, "sidecar"), port, environ, note=f"HOLDFAST_ADDRESS={HOST}:{port}, http {http}"
    )
