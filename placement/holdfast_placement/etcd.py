"""A thin etcd client over grpc.aio: one channel per endpoint, each call tried on one endpoint after the other.

One channel per endpoint, because a target of several addresses takes the whole list for the TLS host name. A try that
does not answer within a second moves on to the next endpoint, so a dead member costs a second at most, once.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any, Protocol, TypeVar

import grpc
from google.protobuf.message import Message

from holdfast_kit.clock import Clock
from holdfast_kit.tls import TlsMaterial
from holdfast_placement.etcd_errors import EtcdUnavailable, LeaseLost, is_token_outdated, mapped
from holdfast_proto.etcd import etcd_pb2 as pb

_log = logging.getLogger(__name__)
M = TypeVar("M", bound=Message)
M_co = TypeVar("M_co", bound=Message, covariant=True)

TRY_TIMEOUT = timedelta(seconds=1)  # an election takes about as long; longer and a dead member costs a lease
CALL_TIMEOUT = timedelta(seconds=3)
_PAUSE_S = 0.05  # between rounds over all endpoints
_OPTIONS = [
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),  # a lease must survive the restart of etcd
    ("grpc.max_receive_message_length", 256 << 20),
    ("grpc.max_send_message_length", 16 << 20),
    ("grpc.use_local_subchannel_pool", 1),
]
# A member that lost its leader ends the streams that carry this, instead of keeping silent.
_WITH_LEADER = ("hasleader", "true")


class Certificates(Protocol):
    def current(self) -> TlsMaterial: ...


class StreamCall(Protocol[M_co]):
    """What we use of grpc.aio's bidirectional calls. Cancelling a `read` cancels the call."""

    async def read(self) -> M_co | object: ...

    async def write(self, request: Message) -> None: ...

    def cancel(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Login:
    user: str
    password: str = field(repr=False)


class Etcd:
    """Use within one event loop. A call that was retried may have been applied by an earlier try: write with
    transactions that ask for what they expect, and on a miss look at what is there.
    """

    def __init__(
        self,
        endpoints: Sequence[str],
        *,
        clock: Clock,
        certificates: Certificates | None = None,
        login: Login | None = None,
        try_timeout: timedelta = TRY_TIMEOUT,
        call_timeout: timedelta = CALL_TIMEOUT,
    ) -> None:
        self._endpoints = tuple(endpoints)
        self._clock = clock
        self._certificates = certificates
        self._login = login
        self._try_s = try_timeout.total_seconds()
        self._call_s = call_timeout.total_seconds()
        self._token: str | None = None
        self._at = 0
        self._generations: list[_Generation] = []
        self._heard_at = clock.monotonic()

    @property
    def endpoint(self) -> str:
        """The one that is asked first now."""
        return self._endpoints[self._at % len(self._endpoints)]

    @property
    def generation(self) -> int:
        """Grows when certificates were replaced; long streams should then be opened anew."""
        return self._current().version

    def silence(self) -> timedelta:
        """Since etcd last answered anything."""
        return timedelta(seconds=self._clock.monotonic() - self._heard_at)

    def heard(self) -> None:
        """A stream of etcd's said something."""
        self._heard_at = self._clock.monotonic()

    def failed(self, endpoint: str) -> None:
        """Ask another endpoint first from now on, and log in again there."""
        self._token = None
        if endpoint == self.endpoint:
            self._at += 1

    async def range(
        self, key: bytes, range_end: bytes = b"", *, limit: int = 0, serializable: bool = False
    ) -> pb.RangeResponse:
        request = pb.RangeRequest(key=key, range_end=range_end, limit=limit, serializable=serializable)
        return await self.call("/etcdserverpb.KV/Range", request, pb.RangeResponse)

    async def put(self, key: bytes, value: bytes, *, lease: int = 0) -> pb.PutResponse:
        """Raises `LeaseLost`."""
        return await self.call(
            "/etcdserverpb.KV/Put", pb.PutRequest(key=key, value=value, lease=lease), pb.PutResponse, lease=lease
        )

    async def delete(self, key: bytes, range_end: bytes = b"") -> pb.DeleteRangeResponse:
        request = pb.DeleteRangeRequest(key=key, range_end=range_end)
        return await self.call("/etcdserverpb.KV/DeleteRange", request, pb.DeleteRangeResponse)

    async def txn(
        self, compare: Sequence[pb.Compare], success: Sequence[pb.RequestOp], failure: Sequence[pb.RequestOp] = ()
    ) -> pb.TxnResponse:
        """Raises `LeaseLost` when an operation names a lease that is gone."""
        lease = next((op.request_put.lease for op in success if op.request_put.lease), 0)
        request = pb.TxnRequest(compare=compare, success=success, failure=failure)
        return await self.call("/etcdserverpb.KV/Txn", request, pb.TxnResponse, lease=lease)

    async def compact(self, revision: int) -> None:
        request = pb.CompactionRequest(revision=revision, physical=True)
        await self.call("/etcdserverpb.KV/Compact", request, pb.CompactionResponse)

    async def grant(self, ttl: timedelta) -> int:
        """The id of a new lease. etcd counts whole seconds and has a minimum, so it may last longer than asked for."""
        seconds = max(1, -(-ttl // timedelta(seconds=1)))
        request = pb.LeaseGrantRequest(ttl=seconds)
        return (await self.call("/etcdserverpb.Lease/LeaseGrant", request, pb.LeaseGrantResponse)).id

    async def revoke(self, lease: int) -> None:
        """Ends the lease and removes its keys; raises `LeaseLost` when it had ended already."""
        request = pb.LeaseRevokeRequest(id=lease)
        await self.call("/etcdserverpb.Lease/LeaseRevoke", request, pb.LeaseRevokeResponse, lease=lease)

    async def status(self) -> pb.StatusResponse:
        """Of whichever member answers."""
        return await self.call("/etcdserverpb.Maintenance/Status", pb.StatusRequest(), pb.StatusResponse)

    async def call(self, method: str, request: Message, response: type[M], *, lease: int = 0) -> M:
        """One unary call, over the endpoints in turn until one answers or the time for the whole call is up."""
        give_up_at = self._clock.monotonic() + self._call_s
        for tries in count(1):
            endpoint = self.endpoint
            try:
                return await self._try(endpoint, method, request, response)
            except grpc.aio.AioRpcError as error:
                await self._recover(error, endpoint, lease=lease, is_last=self._clock.monotonic() > give_up_at)
            if tries % len(self._endpoints) == 0:
                await self._clock.sleep(_PAUSE_S)
        raise AssertionError("count() never ends")

    async def stream(self, method: str, response: type[M]) -> tuple[str, "StreamCall[M]"]:
        """A bidirectional stream on the endpoint that is asked first now, and the name of that endpoint."""
        endpoint = self.endpoint
        metadata = (*await self._metadata(endpoint), _WITH_LEADER)
        opener: Any = self._channel(endpoint).stream_stream(
            method, request_serializer=_serialize, response_deserializer=response.FromString
        )
        return endpoint, opener(metadata=metadata)

    async def close(self) -> None:
        for generation in self._generations:
            await generation.close()

    async def _try(self, endpoint: str, method: str, request: Message, response: type[M]) -> M:
        metadata = await self._metadata(endpoint)
        caller: Any = self._channel(endpoint).unary_unary(
            method, request_serializer=_serialize, response_deserializer=response.FromString
        )
        answer: M = await caller(request, timeout=self._try_s, metadata=metadata)
        self.heard()
        return answer

    async def _recover(self, error: grpc.aio.AioRpcError, endpoint: str, *, lease: int, is_last: bool) -> None:
        """Prepare the next try, or raise our name for the error."""
        if lease and error.code() is grpc.StatusCode.NOT_FOUND:
            raise LeaseLost(lease) from error
        if self._token and is_token_outdated(error) and not is_last:
            self._token = None
            return
        ours = mapped(error, endpoint)
        if is_last or not isinstance(ours, EtcdUnavailable):
            raise ours from error
        _log.debug("etcd try failed", extra={"endpoint": endpoint, "reason": str(ours)})
        self.failed(endpoint)

    async def _metadata(self, endpoint: str) -> tuple[tuple[str, str], ...]:
        if self._login is None:
            return ()
        if self._token is None:
            request = pb.AuthenticateRequest(name=self._login.user, password=self._login.password)
            caller: Any = self._channel(endpoint).unary_unary(
                "/etcdserverpb.Auth/Authenticate",
                request_serializer=_serialize,
                response_deserializer=pb.AuthenticateResponse.FromString,
            )
            answer: pb.AuthenticateResponse = await caller(request, timeout=self._try_s)
            self._token = answer.token
        return (("token", self._token),)

    def _channel(self, endpoint: str) -> grpc.aio.Channel:
        return self._current().channel(endpoint)

    def _current(self) -> "_Generation":
        """Channels keep the certificate they were made with, so replaced files mean new channels.

        Calls on the old ones go on; they are let go one replacement later, when long streams have moved.
        """
        material = self._certificates.current() if self._certificates else None
        version = material.version if material else 0
        if not self._generations or self._generations[-1].version != version:
            self._generations = [*self._generations[-1:], _Generation(version, material)]
        return self._generations[-1]


class _Generation:
    """The channels made with one certificate."""

    def __init__(self, version: int, material: TlsMaterial | None) -> None:
        self.version = version
        self._credentials = material and grpc.ssl_channel_credentials(material.ca, material.key, material.cert)
        self._channels: dict[str, grpc.aio.Channel] = {}

    def channel(self, endpoint: str) -> grpc.aio.Channel:
        if endpoint not in self._channels:
            self._channels[endpoint] = (
                grpc.aio.secure_channel(endpoint, self._credentials, options=_OPTIONS)
                if self._credentials
                else grpc.aio.insecure_channel(endpoint, options=_OPTIONS)
            )
        return self._channels[endpoint]

    async def close(self) -> None:
        for channel in self._channels.values():
            await channel.close()


def prefix_end(prefix: bytes) -> bytes:
    """The end of the range of all keys that start with `prefix`."""
    stripped = prefix.rstrip(b"\xff")
    return stripped[:-1] + bytes([stripped[-1] + 1]) if stripped else b"\0"


def unchanged(key: bytes, mod_revision: int) -> pb.Compare:
    """The key was last written at that revision; 0: there is no such key."""
    return pb.Compare(result=pb.Compare.Result.EQUAL, target=pb.Compare.Target.MOD, key=key, mod_revision=mod_revision)


def putting(key: bytes, value: bytes, *, lease: int = 0) -> pb.RequestOp:
    return pb.RequestOp(request_put=pb.PutRequest(key=key, value=value, lease=lease))


def getting(key: bytes) -> pb.RequestOp:
    return pb.RequestOp(request_range=pb.RangeRequest(key=key))


def deleting(key: bytes) -> pb.RequestOp:
    return pb.RequestOp(request_delete_range=pb.DeleteRangeRequest(key=key))


def _serialize(message: Message) -> bytes:
    return message.SerializeToString()
