"""docs/errors.md names every error that a user can see, and none that does not exist."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from types import ModuleType

import pytest

import holdfast
import holdfast.errors
from holdfast._worker import executors
from holdfast.testing import histories, replay, stuck
from holdfast_proto.history import StallReason
from holdfast_sidecar.api import http_dapr, http_errors, http_health, http_token, status
from holdfast_sidecar.api.native import service
from holdfast_sidecar.core import errors as core
from tests.integration.docs.pages import ROOT

PAGE = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
HEADINGS = set(re.findall(r"^### (\w+)$", PAGE, re.MULTILINE))
ROWS = {name for row in re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}
QUOTED = set(re.findall(r"`(\w+)`", PAGE))


def declared_in(module: ModuleType, base: type[BaseException]) -> set[str]:
    """Errors that the module declares, without those that its callers never see."""
    found = inspect.getmembers(module, inspect.isclass)
    return {
        name
        for name, kind in found
        if kind.__module__ == module.__name__ and issubclass(kind, base) and not name.startswith("_")
    }


def codes_in(module: ModuleType, pattern: str) -> set[str]:
    return set(re.findall(pattern, Path(str(module.__file__)).read_text(encoding="utf-8")))


OF_THE_SDK = declared_in(holdfast.errors, BaseException) | declared_in(executors, BaseException)
OF_TESTING = set[str]().union(*(declared_in(module, Exception) for module in (histories, replay, stuck)))
OF_THE_SIDECAR = declared_in(core, core.HoldfastError) - {"HoldfastError"}
OVER_HTTP = codes_in(http_errors, r'\d{3}: "(\w+)"') | {status.INTERNAL_NAME}
CODES = set[str]().union(*(codes_in(m, r'"(ERR_\w+)"') for m in (http_dapr, http_health, http_token)))


def test_every_error_of_the_sdk_has_its_heading_and_no_other_has() -> None:
    assert HEADINGS == OF_THE_SDK


def test_every_public_error_of_the_sdk_is_there() -> None:
    public = {
        name
        for name in holdfast.__all__
        if inspect.isclass(kind := getattr(holdfast, name)) and issubclass(kind, Exception)
    }
    assert public <= HEADINGS


@pytest.mark.parametrize("name", sorted(OF_THE_SIDECAR | OVER_HTTP | CODES | OF_TESTING))
def test_every_name_of_the_sidecar_and_of_testing_has_its_row(name: str) -> None:
    assert name in ROWS


@pytest.mark.parametrize("reason", StallReason)
def test_every_reason_to_stand_still_has_its_row(reason: StallReason) -> None:
    assert reason.name in ROWS


@pytest.mark.parametrize("name", sorted(codes_in(service, r'code="(\w+)"')))
def test_every_reason_to_refuse_a_worker_is_named(name: str) -> None:
    assert name in QUOTED


@pytest.mark.parametrize("name", sorted(OF_THE_SIDECAR))
def test_the_statuses_of_a_name_are_those_that_callers_get(name: str) -> None:
    answer = status.answer_to(getattr(core, name)("x"))
    assert f"| `{name}` | {answer.code.name}, {int(answer.http)} |" in PAGE


def test_no_row_names_what_does_not_exist() -> None:
    kinds = {"ActivityTimeout", "Terminated", "Canceled"}
    known = OF_TESTING | OF_THE_SIDECAR | OVER_HTTP | CODES | {reason.name for reason in StallReason} | kinds
    assert ROWS - known == set()
