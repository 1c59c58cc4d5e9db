"""What can be set, in YAML or as `HOLDFAST_...` in the environment."""

import os
import socket
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from holdfast_kit.config_values import Between
from holdfast_kit.logs import LogFormat
from holdfast_kit.tls import TlsFiles
from holdfast_placement.keys import ID_SHAPE, is_id

Port = Annotated[int, Between(0, 65_535)]


@dataclass(frozen=True, slots=True)
class ListenConfig:
    """Local by default: without TLS whoever reaches the port can join. `port: 0` takes a free one and logs it."""

    host: str = "127.0.0.1"
    port: Port = 50_005

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class HttpConfig:
    """The page, metrics and health; plain HTTP, read-only."""

    host: str = "127.0.0.1"
    port: Port = 8_081

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class TlsConfig:
    """All three or none; read again whenever they are replaced."""

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None

    def __post_init__(self) -> None:
        given = [self.ca is not None, self.cert is not None, self.key is not None]
        if any(given) and not all(given):
            raise ValueError("expected ca, cert and key together, or none of them")

    @property
    def files(self) -> TlsFiles | None:
        return TlsFiles(self.ca, self.cert, self.key) if self.ca and self.cert and self.key else None


@dataclass(frozen=True, slots=True)
class EtcdConfig:
    """`password_file` is read at the start; it keeps the password out of the environment."""

    endpoints: tuple[str, ...] = ("127.0.0.1:2379",)
    prefix: str = "/holdfast/v1"
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    password_file: Path | None = None
    tls: TlsConfig = TlsConfig()

    def __post_init__(self) -> None:
        if not self.endpoints:
            raise ValueError("endpoints: expected at least one host:port, found none")
        if schemes := [endpoint for endpoint in self.endpoints if "://" in endpoint]:
            raise ValueError(f"endpoints: expected host:port without a scheme, found {', '.join(schemes)}")
        if (self.user is None) != (self.password is None and self.password_file is None):
            raise ValueError("expected user and password (or password_file) together, or none of them")
        if not self.prefix.startswith("/"):
            raise ValueError(f"prefix: expected a path like /holdfast/v1, found {self.prefix!r}")


@dataclass(frozen=True, slots=True)
class LogConfig:
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    format: LogFormat = LogFormat.AUTO


@dataclass(frozen=True, slots=True)
class Config:
    """`replica_id` is for people and for etcd; empty: the machine's name and the process.

    lease       silence after which a host is dead. Shorter moves sooner, longer forgives longer pauses.
    leader_lease  how long a leader that died keeps the key when nothing is due; etcd's minimum is 2 s by default.
    coalesce    changes this close together make one table: a rollout of ten pods is one move, not ten.
    patience    how long a table may be due before another replica takes the lead from one that does nothing.
    trust_domain  whose certificates are let in when TLS is on.
    """

    replica_id: str = ""
    listen: ListenConfig = ListenConfig()
    http: HttpConfig = HttpConfig()
    etcd: EtcdConfig = EtcdConfig()
    tls: TlsConfig = TlsConfig()
    trust_domain: str = "holdfast.local"
    lease: Annotated[timedelta, Between(timedelta(milliseconds=300), timedelta(minutes=5))] = timedelta(seconds=3)
    leader_lease: Annotated[timedelta, Between(timedelta(seconds=1), timedelta(minutes=5))] = timedelta(seconds=3)
    coalesce: Annotated[timedelta, Between(timedelta(0), timedelta(seconds=10))] = timedelta(milliseconds=5)
    patience: Annotated[timedelta, Between(timedelta(milliseconds=100), timedelta(minutes=1))] = timedelta(
        milliseconds=700
    )
    drain_limit: Annotated[timedelta, Between(timedelta(0), timedelta(minutes=5))] = timedelta(seconds=5)
    log: LogConfig = LogConfig()

    def __post_init__(self) -> None:
        if self.replica_id and not is_id(self.replica_id):
            raise ValueError(f"replica_id: expected {ID_SHAPE}, found {self.replica_id!r}")

    @property
    def replica(self) -> str:
        return self.replica_id or f"{socket.gethostname()}-{os.getpid()}"
