"""Requests made up from the OpenAPI document: no crash, and no 500 without a name."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi import checks as openapi_checks

from holdfast_sidecar.api.openapi import openapi
from tests.integration.running.sidecars import Running

T = TypeVar("T")
EXAMPLES = 12  # of each operation: about 500 requests in all
SLOW = (HealthCheck.too_slow, HealthCheck.filter_too_much)  # a process answers at its own pace
fuzz: Any = schemathesis  # half of its types are unknown
checks: Any = openapi_checks
schema = fuzz.openapi.from_dict(openapi("fuzz"))
# A taken id is Dapr's 500 (looked at below), a description cannot tell which values make sense together, and the
# routes of the first alpha lie across those of today, so that their methods are more than a description says.
EXCLUDED = [fuzz.checks.not_a_server_error, checks.positive_data_acceptance, checks.allow_header_conformance]


def of_every_operation(test: T) -> T:
    given: T = schema.parametrize()(test)
    return given


@pytest.fixture(scope="module")
def sidecar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder: Path = tmp_path_factory.mktemp("fuzz")
    with Running(folder, "--store", "memory:", env={"HOLDFAST_WAIT_MAX": "50ms"}) as running:
        yield running


@of_every_operation
@settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=SLOW)
def test_every_operation_answers_as_described(case: Any, sidecar: Running) -> None:
    answer = case.call(base_url=sidecar.url)
    case.validate_response(answer, excluded_checks=EXCLUDED)
    if answer.status_code >= 400:
        body = answer.json()
        assert body["errorCode"]
        assert "Internal" not in (body["errorCode"], *(detail["reason"] for detail in body["details"]))
    assert sidecar.child.is_running
