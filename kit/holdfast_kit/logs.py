"""One formatter on stdlib logging: readable lines for a person at a terminal, one JSON object per line otherwise."""

import json
import logging
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import TextIO

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}
_COLOURS = {
    logging.DEBUG: "2",
    logging.INFO: "32",
    logging.WARNING: "33",
    logging.ERROR: "31",
    logging.CRITICAL: "1;31",
}
_RESERVED = ("time", "level", "logger", "message", "exception")


class LogFormat(StrEnum):
    AUTO = "auto"
    TEXT = "text"
    JSON = "json"


class JsonFormatter(logging.Formatter):
    """Keys: time (RFC 3339, UTC), level, logger, message, then the record's `extra`, then exception if there is one.

    An extra that carries the name of a standard key keeps its value under that name with `_` appended.
    """

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": _rfc3339(record.created),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line.update({f"{key}_" if key in _RESERVED else key: value for key, value in extras(record).items()})
        if trace := _trace(self, record):
            line["exception"] = trace
        return json.dumps(line, default=str, ensure_ascii=False)


class TextFormatter(logging.Formatter):
    """`12:30:05.250 INFO  logger: message  key=value`, the time in UTC."""

    def __init__(self, *, colour: bool) -> None:
        super().__init__()
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        level = self._paint(f"{record.levelname:<7}", _COLOURS.get(record.levelno, "0"))
        fields = "".join(f"  {self._paint(key, '36')}={value}" for key, value in extras(record).items())
        line = f"{_rfc3339(record.created)[11:23]} {level} {record.name}: {record.getMessage()}{fields}"
        trace = _trace(self, record)
        return f"{line}\n{trace}" if trace else line

    def _paint(self, text: str, colour: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._colour else text


class _Handler(logging.StreamHandler[TextIO]):
    """Ours, so that a second `setup` replaces it and leaves foreign handlers alone."""


def setup(level: str | int = "INFO", format: LogFormat | str = LogFormat.AUTO, stream: TextIO | None = None) -> None:
    """Send all logging of the process to `stream` (standard error). May be called again; the last call counts."""
    target = stream or sys.stderr
    handler = _Handler(target)
    handler.setFormatter(formatter(LogFormat(format), target, os.environ))
    root = logging.getLogger()
    for old in [handler for handler in root.handlers if isinstance(handler, _Handler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper() if isinstance(level, str) else level)


def formatter(format: LogFormat, stream: TextIO, environ: Mapping[str, str]) -> logging.Formatter:
    """AUTO is text on a terminal and JSON elsewhere; colours only on a terminal and never under NO_COLOR."""
    if format is LogFormat.JSON or (format is LogFormat.AUTO and not stream.isatty()):
        return JsonFormatter()
    return TextFormatter(colour=stream.isatty() and not environ.get("NO_COLOR"))


def extras(record: logging.LogRecord) -> dict[str, object]:
    """What the caller passed as `extra`."""
    return {key: value for key, value in vars(record).items() if key not in _STANDARD}


def _trace(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    parts = [formatter.formatException(record.exc_info)] if record.exc_info else []
    if record.stack_info:
        parts.append(formatter.formatStack(record.stack_info))
    return "\n".join(parts)


def _rfc3339(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
