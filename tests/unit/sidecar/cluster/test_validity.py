"""When a certificate ends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from holdfast_sidecar.cluster.validity import valid_until
from tests.integration.placement.authority import Authority

_AUTHORITY = Authority()


def test_the_end_is_what_other_software_reads() -> None:
    pem = _AUTHORITY.issue("spiffe://a.test/ns/default/app/app", "app.default.holdfast", days=40).cert
    assert valid_until(pem) == x509.load_pem_x509_certificate(pem).not_valid_after_utc


def test_a_certificate_of_a_day_ends_tomorrow() -> None:
    left = valid_until(_AUTHORITY.issue("app.default.holdfast").cert) - datetime.now(UTC)
    assert timedelta(hours=22) < left < timedelta(hours=26)


def test_the_first_of_a_chain_counts() -> None:
    pem = _AUTHORITY.issue("app.default.holdfast").cert
    assert valid_until(pem + _AUTHORITY.pem) == valid_until(pem)


@given(st.binary(max_size=300))
def test_what_is_no_certificate_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError):
        valid_until(data)
