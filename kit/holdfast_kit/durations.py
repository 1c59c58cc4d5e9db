"""Durations ("250ms", "1h30m") and sizes ("4MiB") as people write them."""

import re
from datetime import timedelta
from decimal import Decimal

_MICROS = {
    "d": 86_400_000_000,
    "h": 3_600_000_000,
    "m": 60_000_000,
    "s": 1_000_000,
    "ms": 1_000,
    "us": 1,
}
_BYTES = {
    "TiB": 1 << 40,
    "GiB": 1 << 30,
    "MiB": 1 << 20,
    "KiB": 1 << 10,
    "TB": 10**12,
    "GB": 10**9,
    "MB": 10**6,
    "kB": 10**3,
    "B": 1,
}
_DURATION_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(us|ms|s|m|h|d)")
_DURATION = re.compile(rf"-?(?:{_DURATION_PART.pattern})+")
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?(TiB|GiB|MiB|KiB|TB|GB|MB|kB|B)?")


class InvalidDuration(ValueError):
    def __init__(self, text: str) -> None:
        super().__init__(f"duration {text!r}: expected a number and a unit like '250ms', '3s', '5m', '1h30m' or '7d'")
        self.text = text


class InvalidSize(ValueError):
    def __init__(self, text: str) -> None:
        super().__init__(f"size {text!r}: expected bytes like '65536', '64KiB', '4MiB' or '1GB'")
        self.text = text


def parse_duration(text: str) -> timedelta:
    """Units us, ms, s, m, h, d, also combined and with decimals; only "0" may stand without a unit."""
    stripped = text.strip()
    if stripped == "0":
        return timedelta(0)
    if not _DURATION.fullmatch(stripped):
        raise InvalidDuration(text)
    micros = sum(Decimal(number) * _MICROS[unit] for number, unit in _DURATION_PART.findall(stripped))
    try:
        return timedelta(microseconds=int(micros)) * (-1 if stripped.startswith("-") else 1)
    except OverflowError as error:
        raise InvalidDuration(text) from error


def format_duration(duration: timedelta) -> str:
    """The shortest text that `parse_duration` reads back to the same value."""
    micros = duration // timedelta(microseconds=1)
    if micros == 0:
        return "0s"
    sign, rest, parts = ("-" if micros < 0 else ""), abs(micros), list[str]()
    for unit, size in _MICROS.items():
        whole, rest = divmod(rest, size)
        if whole:
            parts.append(f"{whole}{unit}")
    return sign + "".join(parts)


def parse_size(text: str) -> int:
    """Whole bytes; KiB, MiB, GiB, TiB count by 1024 and kB, MB, GB, TB by 1000."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise InvalidSize(text)
    size = Decimal(match[1]) * _BYTES[match[2] or "B"]
    if size != int(size):
        raise InvalidSize(text)
    return int(size)


def format_size(size_bytes: int) -> str:
    """In the largest binary unit that divides it: 4194304 is "4MiB", 1000 is "1000B"."""
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        if size_bytes and size_bytes % _BYTES[unit] == 0:
            return f"{size_bytes // _BYTES[unit]}{unit}"
    return f"{size_bytes}B"
