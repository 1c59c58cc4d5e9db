"""Every refusal names its cause."""

from datetime import timedelta

import pytest

from holdfast_placement.admission import (
    Code,
    Refused,
    check_fence,
    check_hello,
    check_holder,
    check_identity,
    check_partitions,
    host_of,
)
from holdfast_placement.records import Member
from holdfast_placement.table import AppKey, Host
from holdfast_proto.v1 import placement_pb2 as pb

LEASE = timedelta(seconds=3)
OURS = "spiffe://holdfast.local/ns/default/app/orders"


def hello(**changes: object) -> pb.Hello:
    fields: dict[str, object] = {
        "protocol": 1,
        "namespace": "default",
        "app_id": "orders",
        "host_id": "a",
        "incarnation": "i-1",
        "address": "10.0.0.1:7000",
        "partitions": 1024,
    }
    message = pb.Hello()
    for name, value in (fields | changes).items():
        setattr(message, name, value)
    return message


def holder(address: str = "10.0.0.1:7000", incarnation: str = "i-1") -> Member:
    return Member(AppKey("default", "orders"), Host("a", address, incarnation), True, "p1", 0)


def test_a_right_hello_passes_everything() -> None:
    check_hello(hello())
    check_identity(hello(), ["localhost", OURS], "holdfast.local")
    check_partitions(hello(), 1024)
    check_holder(hello(), holder(), LEASE)
    assert host_of(hello()) == Host("a", "10.0.0.1:7000", "i-1")


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"namespace": ""}, "expected as namespace 1 to 128"),
        ({"app_id": "a/b"}, "expected as app id"),
        ({"host_id": ".."}, "expected as host id"),
        ({"incarnation": " "}, "expected as incarnation"),
        ({"partitions": 0}, "expected 1 to 65536 partitions, found 0"),
        ({"partitions": 65_537}, "found 65537"),
        ({"address": "10.0.0.1"}, "expected an address host:port"),
        ({"address": ":7000"}, "expected an address host:port"),
        ({"address": "a:70000"}, "expected an address host:port"),
    ],
)
def test_a_malformed_hello_is_told_what_is_wrong(changes: dict[str, object], text: str) -> None:
    with pytest.raises(Refused, match=text) as refused:
        check_hello(hello(**changes))
    assert refused.value.code == Code.INVALID
    assert refused.value.name == "INVALID"


def test_another_protocol_version_is_named_before_anything_else() -> None:
    with pytest.raises(Refused, match="expected protocol version 1, found 2") as refused:
        check_hello(hello(protocol=2, namespace=""))
    assert refused.value.code == Code.PROTOCOL


def test_too_many_capabilities_are_refused() -> None:
    message = hello()
    message.capabilities.extend(["x"] * 65)
    with pytest.raises(Refused, match="at most 64 capabilities"):
        check_hello(message)


@pytest.mark.parametrize(
    ("names", "code"),
    [
        ([], Code.IDENTITY_MISSING),
        (["localhost"], Code.IDENTITY_MISSING),
        (["spiffe://holdfast.local/sa/x"], Code.IDENTITY_MISSING),
        (["spiffe://evil.example/ns/default/app/orders"], Code.TRUST_DOMAIN),
        (["spiffe://holdfast.local/ns/other/app/orders"], Code.IDENTITY_MISMATCH),
        (["spiffe://holdfast.local/ns/default/app/billing"], Code.IDENTITY_MISMATCH),
        ([OURS, OURS + "2"], Code.IDENTITY_MISSING),
    ],
)
def test_a_certificate_of_somebody_else_is_refused(names: list[str], code: int) -> None:
    with pytest.raises(Refused) as refused:
        check_identity(hello(), names, "holdfast.local")
    assert refused.value.code == code


def test_another_partition_count_is_refused() -> None:
    with pytest.raises(Refused, match="namespace default has 256 partitions, found 1024 in the sidecar") as refused:
        check_partitions(hello(), 256)
    assert refused.value.code == Code.PARTITION_COUNT


@pytest.mark.parametrize("other", [holder(address="10.0.0.2:7000"), holder(incarnation="i-2")])
def test_a_second_process_with_the_same_id_is_refused_and_told_who_holds_it(other: Member) -> None:
    with pytest.raises(Refused, match="the id is held by the process") as refused:
        check_holder(hello(), other, LEASE)
    assert refused.value.code == Code.HOST_ID_TAKEN
    assert refused.value.retry_after == LEASE


@pytest.mark.parametrize("fence", [0, (1 << 62) + 1])
def test_an_impossible_fence_is_refused(fence: int) -> None:
    with pytest.raises(Refused, match="damaged fences"):
        check_fence(fence)
