"""Certificates that change while the gRPC server runs."""

from __future__ import annotations

from typing import Any

import grpc

from holdfast_kit.tls import CertificateWatcher, TlsMaterial


def server_credentials(watcher: CertificateWatcher) -> grpc.ServerCredentials:
    """Certificates on both sides. Each handshake takes the newest one; connections that stand go on."""
    changed = watcher.subscribe()

    def fetch() -> Any:
        material = changed()
        return None if material is None else _configuration(material)

    return grpc.dynamic_ssl_server_credentials(
        _configuration(watcher.current()), fetch, require_client_authentication=True
    )


def _configuration(material: TlsMaterial) -> Any:
    return grpc.ssl_server_certificate_configuration([(material.key, material.cert)], root_certificates=material.ca)
