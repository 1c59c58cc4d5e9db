"""Certificates from files that somebody replaces while we run. Identities are in `spiffe.py`."""

import logging
import os
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_log = logging.getLogger(__name__)
_READS_MAX = 3  # a rotation replaces three files one after the other; this many looks catch most of them whole


class TlsError(ValueError):
    """Certificate files that cannot be used; says which and why."""

    def __init__(self, files: "TlsFiles", reason: str) -> None:
        super().__init__(
            f"certificate {files.cert} with key {files.key} and authority {files.ca}: expected three PEM files "
            f"that belong together, found {reason}"
        )
        self.files = files
        self.reason = reason


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files: the authorities we trust, our certificate chain, its private key."""

    ca: Path
    cert: Path
    key: Path


@dataclass(frozen=True, slots=True)
class TlsMaterial:
    """One consistent state of the files; `version` grows by one with every replacement."""

    version: int
    ca: bytes
    cert: bytes
    key: bytes

    def __repr__(self) -> str:
        return f"TlsMaterial(version={self.version})"  # a private key must not reach a log


class CertificateWatcher:
    """Serves the newest usable certificates. Any thread may call it.

    It looks at the files when asked, it has no thread of its own. A replacement that is unreadable or half done
    is logged once and the previous material stays in force. Whoever asks for a context before each connection has the
    newest certificate, and trusts nobody whose authority was taken out.
    """

    def __init__(self, files: TlsFiles) -> None:
        self._files = files
        self._lock = threading.Lock()  # gRPC calls from its own threads, where no mailbox of ours can be awaited
        self._newest = _read(files, 1)
        self._refused: _Signature | None = None

    def current(self) -> TlsMaterial:
        """The newest usable material; costs three `stat` calls when nothing changed."""
        with self._lock:
            self._refresh()
            return self._newest.material

    def subscribe(self) -> Callable[[], TlsMaterial | None]:
        """A function that returns new material once, else None: what gRPC's certificate fetcher wants."""
        seen = self.current().version

        def changed() -> TlsMaterial | None:
            nonlocal seen
            material = self.current()
            if material.version == seen:
                return None
            seen = material.version
            return material

        return changed

    def server_context(self) -> ssl.SSLContext:
        """For servers that demand a client certificate of our authorities."""
        with self._lock:
            self._refresh()
            return self._newest.server

    def client_context(self) -> ssl.SSLContext:
        """For clients, which check the server's name."""
        with self._lock:
            self._refresh()
            return self._newest.client

    def _refresh(self) -> None:
        version = self._newest.material.version
        try:
            if _sign(self._files) == self._newest.signature:
                return
            self._newest = _read(self._files, version + 1)
        except (OSError, TlsError) as error:
            self._refuse(error)
        else:
            self._refused = None
            _log.info("certificate reloaded", extra={"cert": str(self._files.cert), "version": version + 1})

    def _refuse(self, error: Exception) -> None:
        signature = _sign_or_nothing(self._files)
        if signature != self._refused:
            self._refused = signature
            _log.warning(
                "replaced certificate cannot be used, the previous one stays",
                extra={"cert": str(self._files.cert), "reason": str(error), "version": self._newest.material.version},
            )


_Signature = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True)
class _Read:
    """All of one look at the files."""

    signature: _Signature
    material: TlsMaterial
    server: ssl.SSLContext
    client: ssl.SSLContext


def _sign(files: TlsFiles) -> _Signature:
    """What differs after a replacement; the inode, because a swapped link may keep the times."""
    found = [os.stat(path) for path in (files.ca, files.cert, files.key)]
    return tuple((status.st_mtime_ns, status.st_size, status.st_ino) for status in found)


def _sign_or_nothing(files: TlsFiles) -> _Signature:
    try:
        return _sign(files)
    except OSError:
        return ()


def _read(files: TlsFiles, version: int) -> _Read:
    """Bytes that belong together: unchanged while they were read, and the key fits the certificate."""
    for _ in range(_READS_MAX):
        try:
            before = _sign(files)
            material = TlsMaterial(version, files.ca.read_bytes(), files.cert.read_bytes(), files.key.read_bytes())
            server, client = (_context(files, kind) for kind in (ssl.PROTOCOL_TLS_SERVER, ssl.PROTOCOL_TLS_CLIENT))
            if _sign(files) == before:
                return _Read(before, material, server, client)
        except ssl.SSLError as error:
            raise TlsError(files, f"{error.reason or error}") from error
        except OSError as error:
            raise TlsError(files, f"{error.strerror} ({error.filename})") from error
    raise TlsError(files, "that they changed while they were read")


def _context(files: TlsFiles, kind: int) -> ssl.SSLContext:
    """Both sides show a certificate."""
    context = ssl.SSLContext(kind)
    context.verify_mode = ssl.CERT_REQUIRED
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(files.ca)
    context.load_cert_chain(files.cert, files.key)
    return context
