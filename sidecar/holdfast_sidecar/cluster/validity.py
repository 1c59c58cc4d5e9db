"""Until when a certificate is valid. A handshake that fails says only that it failed; this says why it had to.

Reads as much of X.509 (RFC 5280, in DER) as lies before the end of validity, and nothing else.
"""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from typing import Final

_VERSION: Final = 0xA0
_UTC_TIME: Final = 0x17
_END: Final = "-----END CERTIFICATE-----"


def valid_until(pem: bytes) -> datetime:
    """Of the first certificate in the file. ValueError when it is none."""
    text = pem.decode("ascii")
    text = text[text.index("-----BEGIN CERTIFICATE-----") : text.index(_END) + len(_END)]
    fields = _items(_items(_items(ssl.PEM_cert_to_DER_cert(text))[0][1])[0][1])
    validity = fields[4 if fields[0][0] == _VERSION else 3]
    kind, value = _items(validity[1])[1]
    digits = value.decode("ascii")
    if kind == _UTC_TIME:  # two digits of the year: 1950 to 2049
        digits = ("20" if digits < "50" else "19") + digits
    return datetime.strptime(digits, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def _items(data: bytes) -> list[tuple[int, bytes]]:
    """Tags and contents that follow each other."""
    found, place = list[tuple[int, bytes]](), 0
    while place < len(data):
        if place + 2 > len(data):
            raise ValueError("certificate: expected a length after the tag, found the end")
        tag, length, place = data[place], data[place + 1], place + 2
        if length & 0x80:
            size = length & 0x7F
            length, place = int.from_bytes(data[place : place + size], "big"), place + size
        if place + length > len(data):
            raise ValueError(f"certificate: expected {length} bytes, found {len(data) - place}")
        found.append((tag, data[place : place + length]))
        place += length
    if not found:
        raise ValueError("certificate: expected contents, found none")
    return found
