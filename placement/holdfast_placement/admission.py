"""Who may join: every rule about a `Hello` in one place. Pure; a rule that is broken raises `Refused`."""

from collections.abc import Iterable
from datetime import timedelta

from holdfast_kit.spiffe import InvalidSpiffeId, NoSpiffeId, SpiffeId, identity_of
from holdfast_placement.keys import ID_SHAPE, is_id
from holdfast_placement.records import Member
from holdfast_placement.table import AppKey, Host
from holdfast_proto.v1 import placement_pb2 as pb

PROTOCOL = 1
PARTITIONS_MAX = 65_536  # a table stays below half a megabyte
CAPABILITIES_MAX = 64
ADDRESS_LENGTH_MAX = 300
EPOCH_MAX = 1 << 62  # a fence above it would leave no room for later ones

Code = pb.Refusal.Code


class Refused(Exception):
    """The last thing a host hears. `retry_after` zero: retrying cannot help before somebody changes something."""

    def __init__(self, code: Code, text: str, retry_after: timedelta = timedelta(0)) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.retry_after = retry_after

    @property
    def name(self) -> str:
        return Code.Name(self.code)


def app_of(hello: pb.Hello) -> AppKey:
    return AppKey(hello.namespace, hello.app_id)


def host_of(hello: pb.Hello) -> Host:
    return Host(hello.host_id, hello.address, hello.incarnation, tuple(hello.capabilities))


def check_hello(hello: pb.Hello) -> None:
    """Protocol first: of another version we do not know what the other fields mean."""
    if hello.protocol != PROTOCOL:
        raise Refused(
            Code.PROTOCOL,
            f"host {hello.host_id}: expected protocol version {PROTOCOL}, found {hello.protocol}; "
            "run sidecars and placement of releases that belong together",
        )
    if problem := _problem(hello):
        raise Refused(Code.INVALID, f"host {hello.host_id[:200]!r}: {problem}")


def check_app_id(app_id: str) -> None:
    if not is_id(app_id):
        raise Refused(Code.INVALID, f"app id {app_id[:200]!r}: expected {ID_SHAPE}")


def check_fence(fence: int) -> None:
    if not 0 < fence <= EPOCH_MAX:
        raise Refused(Code.INVALID, f"fence {fence}: expected 1 to {EPOCH_MAX}; the store holds damaged fences")


def check_identity(hello: pb.Hello, names: Iterable[str], trust_domain: str) -> None:
    """`names` are the alternative names of the certificate that the host has shown, already verified by TLS."""
    wanted = SpiffeId(trust_domain, hello.namespace, hello.app_id)
    try:
        found = identity_of(names)
    except (NoSpiffeId, InvalidSpiffeId) as error:
        raise Refused(Code.IDENTITY_MISSING, f"host {hello.host_id}: {error}") from error
    if found.trust_domain != trust_domain:
        raise Refused(
            Code.TRUST_DOMAIN,
            f"host {hello.host_id}: expected trust domain {trust_domain}, found {found.trust_domain} in {found}",
        )
    if found != wanted:
        raise Refused(
            Code.IDENTITY_MISMATCH,
            f"host {hello.host_id}: expected a certificate for {wanted}, found one for {found}",
        )


def check_partitions(hello: pb.Hello, known: int) -> None:
    """`known` is what etcd says for the namespace."""
    if hello.partitions != known:
        raise Refused(
            Code.PARTITION_COUNT,
            f"host {hello.host_id}: namespace {hello.namespace} has {known} partitions, found {hello.partitions} in "
            "the sidecar; the count is fixed when the namespace is first used, set the sidecar's to the same",
        )


def check_holder(hello: pb.Hello, holder: Member, lease: timedelta) -> None:
    """`holder` is who lies under this host id in etcd now. The same process may come back, nobody else may."""
    found = host_of(hello)
    if (holder.host.incarnation, holder.host.address) == (found.incarnation, found.address):
        return
    raise Refused(
        Code.HOST_ID_TAKEN,
        f"host {found.id} of {holder.app}: the id is held by the process {holder.host.incarnation} at "
        f"{holder.host.address}, found process {found.incarnation} at {found.address}; give every sidecar an id of "
        f"its own, or, if the other one has died, wait {lease.total_seconds():g} s for its lease to run out",
        retry_after=lease,
    )


def etcd_unavailable(subject: str, reason: str) -> Refused:
    return Refused(
        Code.ETCD_UNAVAILABLE,
        f"{subject}: nobody can join while etcd does not answer ({reason}); hosts that are members go on",
        retry_after=timedelta(seconds=1),
    )


def _problem(hello: pb.Hello) -> str | None:
    for name, value in (("namespace", hello.namespace), ("app id", hello.app_id), ("host id", hello.host_id)):
        if not is_id(value):
            return f"expected as {name} {ID_SHAPE}, found {value[:200]!r}"
    if not is_id(hello.incarnation):
        return f"expected as incarnation {ID_SHAPE}, found {hello.incarnation[:200]!r}"
    if not 1 <= hello.partitions <= PARTITIONS_MAX:
        return f"expected 1 to {PARTITIONS_MAX} partitions, found {hello.partitions}"
    if not _is_address(hello.address):
        return f"expected an address host:port where peers reach the sidecar, found {hello.address[:200]!r}"
    if len(hello.capabilities) > CAPABILITIES_MAX or not all(map(is_id, hello.capabilities)):
        return f"expected at most {CAPABILITIES_MAX} capabilities of {ID_SHAPE} each"
    return None


def _is_address(text: str) -> bool:
    name, colon, port = text.rpartition(":")
    return bool(name and colon) and len(text) <= ADDRESS_LENGTH_MAX and port.isdigit() and 0 < int(port) < 65_536
