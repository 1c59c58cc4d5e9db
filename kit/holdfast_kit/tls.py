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
    is logged once and the previous material stays in force. Contexts handed out are reloaded in place by `current`;
    new connections then use the new certificate. A context keeps trusting authorities that were replaced until restart.
    """

    def __init__(self, files: TlsFiles) -> None:
        self._files = files
        self._lock = threading.Lock()  # gRPC calls from its own threads, where no mailbox of ours can be awaited
        self._contexts: list[ssl.SSLContext] = []
        self._signature, self._material = _read(files, 1)
        self._refused: _Signature | None = None

    def current(self) -> TlsMaterial:
        """The newest usable material; costs three `stat` calls when nothing changed."""
        with self._lock:
            self._refresh()
            return self._material

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
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.verify_mode = ssl.CERT_REQUIRED
        return self._adopt(context)

    def client_context(self, *, check_hostname: bool = True) -> ssl.SSLContext:
        """For clients; without `check_hostname` the caller must check the peer's identity itself."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = check_hostname
        return self._adopt(context)

    def _adopt(self, context: ssl.SSLContext) -> ssl.SSLContext:
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        with self._lock:
            self._refresh()
            _fill(context, self._files)
            self._contexts.append(context)
        return context

    def _refresh(self) -> None:
        try:
            signature = _sign(self._files)
            if signature == self._signature:
                return
            self._signature, self._material = _read(self._files, self._material.version + 1)
            for context in self._contexts:
                _fill(context, self._files)
        except (OSError, ssl.SSLError, TlsError) as error:
            self._refuse(error)
        else:
            self._refused = None
            _log.info("certificate reloaded", extra={"cert": str(self._files.cert), "version": self._material.version})

    def _refuse(self, error: Exception) -> None:
        signature = _sign_or_nothing(self._files)
        if signature != self._refused:
            self._refused = signature
            _log.warning(
                "replaced certificate cannot be used, the previous one stays",
                extra={"cert": str(self._files.cert), "reason": str(error), "version": self._material.version},
            )


_Signature = tuple[tuple[int, int, int], ...]


def _sign(files: TlsFiles) -> _Signature:
    """What differs after a replacement; the inode, because a swapped link may keep the times."""
    found = [os.stat(path) for path in (files.ca, files.cert, files.key)]
    return tuple((status.st_mtime_ns, status.st_size, status.st_ino) for status in found)


def _sign_or_nothing(files: TlsFiles) -> _Signature:
    try:
        return _sign(files)
    except OSError:
        return ()


def _read(files: TlsFiles, version: int) -> tuple[_Signature, TlsMaterial]:
    """Bytes that belong together: unchanged while they were read, and the key fits the certificate."""
    for _ in range(_READS_MAX):
        try:
            before = _sign(files)
            material = TlsMaterial(version, files.ca.read_bytes(), files.cert.read_bytes(), files.key.read_bytes())
            _fill(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), files)
            if _sign(files) == before:
                return before, material
        except ssl.SSLError as error:
            raise TlsError(files, f"{error.reason or error}") from error
        except OSError as error:
            raise TlsError(files, f"{error.strerror} ({error.filename})") from error
    raise TlsError(files, "that they changed while they were read")


def _fill(context: ssl.SSLContext, files: TlsFiles) -> None:
    context.load_verify_locations(files.ca)
    context.load_cert_chain(files.cert, files.key)
