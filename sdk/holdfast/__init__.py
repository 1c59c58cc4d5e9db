"""Durable workflows: plain async code that survives crashes."""

from holdfast._replay.operations import Call
from holdfast.authoring import Activity, Workflow, activity, workflow
from holdfast.context import Context
from holdfast.errors import (
    ActivityFailed,
    ChildFailed,
    CompensationFailed,
    DefinitionError,
    HoldfastError,
    NonDeterminism,
    NonRetryable,
    NotAllowedInWorkflow,
    PayloadError,
    PayloadTooLarge,
    RemoteFailure,
    UndeclaredError,
    VersionNotAvailable,
)
from holdfast.retry import Retry
from holdfast.saga import Saga
from holdfast.serialization import register_converter

__all__ = [
    "Activity",
    "ActivityFailed",
    "Call",
    "ChildFailed",
    "CompensationFailed",
    "Context",
    "DefinitionError",
    "HoldfastError",
    "NonDeterminism",
    "NonRetryable",
    "NotAllowedInWorkflow",
    "PayloadError",
    "PayloadTooLarge",
    "RemoteFailure",
    "Retry",
    "Saga",
    "UndeclaredError",
    "VersionNotAvailable",
    "Workflow",
    "activity",
    "register_converter",
    "workflow",
]
