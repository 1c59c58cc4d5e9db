"""Between processes: certificates on both sides, and which identities a sidecar talks to.

Every process has a certificate that names `spiffe://<trust domain>/ns/<namespace>/app/<app id>` and, for the host name
check of TLS, `<app id>.<namespace>.holdfast` (placement: `placement.holdfast`). New connections use the newest files.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import grpc

from holdfast_kit.clock import Clock, SystemClock, to_datetime
from holdfast_kit.spiffe import InvalidSpiffeId, NoSpiffeId, SpiffeId, identity_of
from holdfast_kit.tls import CertificateWatcher, TlsMaterial
from holdfast_placement.table import AppKey
from holdfast_sidecar.cluster.validity import valid_until

_log = logging.getLogger(__name__)

PLACEMENT_NAME: Final = "placement.holdfast"
Options = Sequence[tuple[str, Any]]


def host_name(app: AppKey) -> str:
    return f"{app.app_id}.{app.namespace}.holdfast"


class Channels:
    """Opens channels to one kind of server: plain, or with certificates on both sides."""

    def __init__(
        self, watcher: CertificateWatcher | None, *, server_name: str, options: Options, clock: Clock | None = None
    ) -> None:
        self._watcher = watcher
        self._clock = clock or SystemClock()
        self._options = options
        self._told: datetime | None = None  # the end of validity that was logged
        self._secure_options = (*options, ("grpc.ssl_target_name_override", server_name))

    def __call__(self, address: str) -> grpc.aio.Channel:
        if self._watcher is None:
            return grpc.aio.insecure_channel(address, options=self._options)
        material = self._watcher.current()
        self._check(material)
        credentials = grpc.ssl_channel_credentials(material.ca, material.key, material.cert)
        return grpc.aio.secure_channel(address, credentials, options=self._secure_options)

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
    """Lets in sidecars of the same trust domain, namespace and app; says what is wrong with any other."""

    def __init__(self, app: AppKey, *, trust_domain: str) -> None:
        self._expected = SpiffeId(trust_domain, app.namespace, app.app_id)

    def __call__(self, context: grpc.aio.ServicerContext[bytes, bytes]) -> str | None:
        names = context.auth_context().get("x509_subject_alternative_name", ())
        try:
            found = identity_of(name.decode() for name in names)
        except (NoSpiffeId, InvalidSpiffeId, UnicodeDecodeError) as error:
            return f"peer: {error}"
        if found != self._expected:
            return f"peer: expected a certificate of {self._expected}, found {found}"
        return None
