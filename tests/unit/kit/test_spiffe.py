import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast_kit.spiffe import InvalidSpiffeId, NoSpiffeId, SpiffeId, identity_of

_SEGMENTS = st.from_regex(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,20}", fullmatch=True)
_ID = "spiffe://example.org/ns/shop/app/checkout"


@given(st.from_regex(r"[a-z0-9._-]{1,30}", fullmatch=True), _SEGMENTS, _SEGMENTS)
def test_every_identity_survives_the_way_there_and_back(trust_domain: str, namespace: str, app_id: str) -> None:
    identity = SpiffeId(trust_domain, namespace, app_id)
    assert SpiffeId.parse(str(identity)) == identity


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "another scheme"),
        ("https://example.org/ns/shop/app/checkout", "another scheme"),
        ("spiffe://example.org", "another path"),
        ("spiffe://example.org/ns/shop/app/checkout/more", "another path"),
        ("spiffe://example.org/app/checkout/ns/shop", "another path"),
        ("spiffe://Example.org/ns/shop/app/checkout", "trust domain 'Example.org'"),
        ("spiffe:///ns/shop/app/checkout", "trust domain ''"),
        ("spiffe://example.org/ns//app/checkout", "namespace ''"),
        ("spiffe://example.org/ns/../app/checkout", r"namespace '\.\.'"),
        ("spiffe://example.org/ns/shop/app/check%20out", "app id 'check%20out'"),
        ("spiffe://example.org/ns/shop/app/checkout\n", "app id"),
        ("spiffe://example.org/ns/shop/app/" + "x" * 2048, "2081 characters"),
    ],
)
def test_what_is_no_identity_is_refused_with_the_reason(text: str, found: str) -> None:
    with pytest.raises(InvalidSpiffeId, match=found):
        SpiffeId.parse(text)


def test_a_certificate_must_name_exactly_one_identity() -> None:
    assert identity_of(["localhost", _ID]) == SpiffeId("example.org", "shop", "checkout")
    with pytest.raises(NoSpiffeId, match="found no names at all"):
        identity_of([])
    with pytest.raises(NoSpiffeId, match="found spiffe://"):
        identity_of([_ID, _ID + "2"])
