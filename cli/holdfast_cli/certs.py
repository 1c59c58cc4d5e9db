"""`holdfast certs`: a certificate authority for development, and certificates for the processes of a cluster."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from holdfast_kit.clock import SystemClock, to_datetime
from holdfast_kit.spiffe import InvalidSpiffeId, SpiffeId

MISUSED: Final = 2
SKEW: Final = timedelta(minutes=5)  # machines' clocks differ; a certificate of the future is refused


def main(arguments: Sequence[str]) -> int:
    options = _parser().parse_args(arguments)
    folder = Path(options.out)
    try:
        identities = [SpiffeId(options.trust_domain, options.namespace, app) for app in options.app]
        SpiffeId(options.trust_domain, "system", "placement")
    except InvalidSpiffeId as error:
        print(f"holdfast certs: {error}")
        return MISUSED
    folder.mkdir(parents=True, exist_ok=True)
    authority = Authority.load(folder) or Authority.make(folder, days=options.ca_days)
    placement = SpiffeId(options.trust_domain, "system", "placement")
    hosts = [*options.host, "localhost"]
    authority.issue(folder, "placement", placement, ["placement.holdfast", *hosts], days=options.days)
    for identity in identities:
        name = f"{identity.app_id}.{identity.namespace}.holdfast"
        authority.issue(folder, identity.app_id, identity, [name, *hosts], days=options.days)
    print(f"{folder}: ca.crt, and a certificate with its key for placement{''.join(f', {a}' for a in options.app)}")
    print("For development. The authority's key lies beside them in ca.key: who has it can be anybody.")
    return 0


class Authority:
    """Signs with an elliptic key, which every TLS library takes."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self._certificate = certificate
        self._key = key

    @classmethod
    def load(cls, folder: Path) -> Authority | None:
        """The one that was made before; None when there is none yet."""
        certificate, key = folder / "ca.crt", folder / "ca.key"
        if not (certificate.exists() and key.exists()):
            return None
        loaded = serialization.load_pem_private_key(key.read_bytes(), password=None)
        if not isinstance(loaded, ec.EllipticCurvePrivateKey):
            raise SystemExit(f"holdfast certs: {key}: expected a key made by this command, found another kind")
        return cls(x509.load_pem_x509_certificate(certificate.read_bytes()), loaded)

    @classmethod
    def make(cls, folder: Path, *, days: int) -> Authority:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Holdfast development authority")])
        builder = _builder(name, name, key.public_key(), days=days)
        certificate = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True).sign(
            key, hashes.SHA256()
        )
        _write(folder / "ca.crt", certificate.public_bytes(serialization.Encoding.PEM), secret=False)
        _write(folder / "ca.key", _pem(key), secret=True)
        return cls(certificate, key)

    def issue(self, folder: Path, file: str, identity: SpiffeId, hosts: Sequence[str], *, days: int) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, identity.app_id)])
        names = [x509.UniformResourceIdentifier(str(identity)), *(x509.DNSName(host) for host in hosts)]
        builder = _builder(subject, self._certificate.subject, key.public_key(), days=days)
        certificate = builder.add_extension(x509.SubjectAlternativeName(names), critical=False).sign(
            self._key, hashes.SHA256()
        )
        _write(folder / f"{file}.crt", certificate.public_bytes(serialization.Encoding.PEM), secret=False)
        _write(folder / f"{file}.key", _pem(key), secret=True)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, *, days: int
) -> x509.CertificateBuilder:
    now: datetime = to_datetime(SystemClock().now_ns()).astimezone(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(now + timedelta(days=days))
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, data: bytes, *, secret: bool) -> None:
    """Whole or not at all: a sidecar may be reading it."""
    new = path.with_name(f"{path.name}.new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600 if secret else 0o644), "wb") as file:
        file.write(data)
    new.replace(path)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="holdfast certs",
        description="Make a certificate authority for development (kept if it is there), and certificates for "
        "placement and for the sidecars of the apps. Running it again renews them; no process has to be restarted.",
    )
    parser.add_argument("app", nargs="*", help="app ids to issue certificates for")
    parser.add_argument("--out", default="certs", metavar="DIR", help="where the files go (default: certs)")
    parser.add_argument("--trust-domain", default="holdfast.local", help="default: holdfast.local")
    parser.add_argument("--namespace", default="default", help="of the apps (default: default)")
    parser.add_argument("--host", action="append", default=[], help="another host name to put in; may be repeated")
    parser.add_argument("--days", type=int, default=30, help="how long certificates are valid (default: 30)")
    parser.add_argument("--ca-days", type=int, default=365, help="how long a new authority is valid (default: 365)")
    return parser
