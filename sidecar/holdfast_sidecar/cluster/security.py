"""Between processes: certificates on both sides, and which identities a sidecar talks to.

Every process has a certificate that names `spiffe://<trust domain>/ns/<namespace>/app/<app id>` and, for the host name
check of TLS, `<app id>.<namespace>.holdfast` (placement: `placement.holdfast`). New connections use the newest files.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import grpc

from holdfast_kit.clock import Clock, SystemClock, to_datetime
from holdfast_kit.spiffe import InvalidSpiffeId, NoSpiffeId, SpiffeId, identity_of
from holdfast_kit.tls import CertificateWatcher, TlsMaterial
from holdfast_placement.table import AppKey
from holdfast_sidecar.cluster.validity import valid_until

_log = logging.getLogger(__name__)

PLACEMENT_NAME: Final = "placement.holdfast"
_OPTIONS: Final = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.http2.ping_timeout_ms", 3_000),
    ("grpc.keepalive_timeout_ms", 3_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 1_000),
)


def host_name(app: AppKey) -> str:
    return f"{app.app_id}.{app.namespace}.holdfast"


class Channels:
    """Opens channels to placement: plain, or with certificates on both sides."""

    def __init__(self, watcher: CertificateWatcher | None, *, clock: Clock | None = None) -> None:
        self._watcher = watcher
        self._clock = clock or SystemClock()
        self._told: datetime | None = None  # the end of validity that was logged

    def __call__(self, address: str) -> grpc.aio.Channel:
        if self._watcher is None:
            return grpc.aio.insecure_channel(address, options=_OPTIONS)
        material = self._watcher.current()
        self._check(material)
        credentials = grpc.ssl_channel_credentials(material.ca, material.key, material.cert)
        options = (*_OPTIONS, ("grpc.ssl_target_name_override", PLACEMENT_NAME))
        return grpc.aio.secure_channel(address, credentials, options=options)

    def _check(self, material: TlsMaterial) -> None:
        """The other side refuses an expired certificate without a word, so say it here, once."""
        end = valid_until(material.cert)
        if end <= to_datetime(self._clock.now_ns()) and end != self._told:
            self._told = end
            _log.error(
                "this sidecar's certificate has expired, nobody will talk to it; replace the file, no restart needed",
                extra={"expired": end.isoformat()},
            )


class PeerIdentity:
    """Talks to sidecars of the same trust domain, namespace and app; says what is wrong with any other."""

    def __init__(self, app: AppKey, *, trust_domain: str) -> None:
        self._expected = SpiffeId(trust_domain, app.namespace, app.app_id)

    def __call__(self, names: Sequence[str]) -> str | None:
        try:
            found = identity_of(names)
        except (NoSpiffeId, InvalidSpiffeId) as error:
            return f"peer: {error}"
        if found != self._expected:
            return f"peer: expected a certificate of {self._expected}, found {found}"
        return None
