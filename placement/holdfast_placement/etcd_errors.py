"""What can go wrong with etcd, by name."""

import grpc

_TRANSIENT = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,  # "too many requests"; "database space exceeded" reads the same and is told
        grpc.StatusCode.INTERNAL,  # a connection reset in mid-call
        grpc.StatusCode.UNKNOWN,  # a member that shuts down answers like this
        grpc.StatusCode.CANCELLED,
    }
)
_DENIED = frozenset(
    {
        "etcdserver: authentication failed, invalid user ID or password",
        "etcdserver: authentication is not enabled",
        "etcdserver: user name is empty",
        "etcdserver: user name not found",
        "etcdserver: permission denied",
    }
)
_TOKEN_OUTDATED = frozenset({"etcdserver: invalid auth token", "etcdserver: revision of auth store is old"})


class EtcdError(Exception):
    """Base of all below."""


class EtcdUnavailable(EtcdError):
    """No endpoint answered in time. A write may or may not have happened: look before writing again."""


class EtcdDenied(EtcdError):
    """Wrong user or password, or a right that is missing. Somebody has to change something."""


class EtcdRejected(EtcdError):
    """etcd refuses this very request; sending it again cannot help."""


class LeaseLost(EtcdError):
    """The lease has run out or was revoked, and all keys under it are gone."""

    def __init__(self, lease: int) -> None:
        super().__init__(f"etcd lease {lease:x}: it has run out or was revoked")
        self.lease = lease


class Compacted(EtcdError):
    """The revision to watch from is gone: list again and watch from there."""

    def __init__(self, wanted: int, compacted: int) -> None:
        super().__init__(f"etcd watch: revision {wanted} was compacted, the oldest is {compacted}")
        self.wanted = wanted
        self.compacted = compacted


class WatchCanceled(EtcdError):
    """etcd ended the watch for a reason of its own, say a right that was taken away."""


class HistoryRewound(EtcdError):
    """etcd is behind what it told before: it was replaced, or restored from a backup. List again."""

    def __init__(self, wanted: int, found: int) -> None:
        super().__init__(
            f"etcd: revision {wanted - 1} was seen before, now it is at {found}; was it restored or replaced?"
        )
        self.wanted = wanted
        self.found = found


def is_token_outdated(error: grpc.aio.AioRpcError) -> bool:
    return error.code() is grpc.StatusCode.UNAUTHENTICATED or error.details() in _TOKEN_OUTDATED


def mapped(error: grpc.aio.AioRpcError, endpoint: str) -> EtcdError:
    """Our name for what gRPC reports."""
    text = f"etcd {endpoint}: {error.details() or error.code().name}"
    if error.code() is grpc.StatusCode.PERMISSION_DENIED or error.details() in _DENIED or is_token_outdated(error):
        return EtcdDenied(f"{text}; check user, password and the rights on our prefix")
    if error.code() in _TRANSIENT:
        return EtcdUnavailable(text)
    return EtcdRejected(f"{text} ({error.code().name})")
