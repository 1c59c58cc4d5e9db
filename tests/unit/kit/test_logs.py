import io
import json
import logging
import sys
from collections.abc import Iterator

import pytest

from holdfast_kit import logs
from holdfast_kit.logs import JsonFormatter, LogFormat, TextFormatter


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    logger = logging.getLogger()
    handlers, level = list(logger.handlers), logger.level
    yield logger
    logger.handlers[:] = handlers
    logger.setLevel(level)


def _record(message: str = "commit refused", **extra: object) -> logging.LogRecord:
    record = logging.getLogger("holdfast.test").makeRecord("holdfast.test", logging.WARNING, "f", 1, message, (), None)
    record.created = 1_700_000_000.25
    vars(record).update(extra)
    return record


def test_json_is_one_object_per_line_with_the_extra_fields() -> None:
    text = JsonFormatter().format(_record("two\nlines", instance_id="order-7", seq=3))
    assert "\n" not in text
    assert json.loads(text) == {
        "time": "2023-11-14T22:13:20.250000Z",
        "level": "WARNING",
        "logger": "holdfast.test",
        "message": "two\nlines",
        "instance_id": "order-7",
        "seq": 3,
    }


def test_json_writes_what_it_cannot_encode_as_text_and_never_loses_a_standard_key() -> None:
    line = json.loads(JsonFormatter().format(_record(where={1}, level="mine")))
    assert (line["where"], line["level"], line["level_"]) == ("{1}", "WARNING", "mine")


def test_json_carries_the_exception() -> None:
    record = _record()
    try:
        raise ValueError("boom")
    except ValueError:
        record.exc_info = sys.exc_info()
    assert json.loads(JsonFormatter().format(record))["exception"].endswith("ValueError: boom")
    assert TextFormatter(colour=False).format(record).endswith("ValueError: boom")


def test_text_is_one_readable_line() -> None:
    line = TextFormatter(colour=False).format(_record(instance_id="order-7"))
    assert line == "22:13:20.250 WARNING holdfast.test: commit refused  instance_id=order-7"


def test_auto_is_coloured_text_on_a_terminal_and_json_elsewhere() -> None:
    assert isinstance(logs.formatter(LogFormat.AUTO, io.StringIO(), {}), JsonFormatter)
    assert isinstance(logs.formatter(LogFormat.TEXT, io.StringIO(), {}), TextFormatter)
    assert "\x1b[33m" in logs.formatter(LogFormat.AUTO, _Terminal(), {}).format(_record())
    assert "\x1b[" not in logs.formatter(LogFormat.AUTO, _Terminal(), {"NO_COLOR": "1"}).format(_record())


def test_the_last_setup_counts_and_lines_come_once(root: logging.Logger) -> None:
    first, second = io.StringIO(), io.StringIO()
    logs.setup("info", "json", first)
    logs.setup("WARNING", "json", second)
    logging.getLogger("holdfast.test").info("quiet")
    logging.getLogger("holdfast.test").warning("loud", extra={"seq": 1})
    assert first.getvalue() == ""
    assert [json.loads(line)["message"] for line in second.getvalue().splitlines()] == ["loud"]
    assert root.level == logging.WARNING
