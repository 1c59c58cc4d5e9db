"""Durable workflows: plain async code that survives crashes."""

from holdfast._replay.operations import Call
from holdfast._requests import StartOptions
from holdfast._state import Filter, Instance, Page
from holdfast._worker.info import ActivityInfo, current_activity
from holdfast.authoring import Activity, Workflow, activity, workflow
from holdfast.client import Client, Handle
from holdfast.context import Context
from holdfast.errors import (
    ActivityCanceled,
    ActivityFailed,
    CallRefused,
    ChildFailed,
    CompensationFailed,
    DefinitionError,
    HoldfastError,
    InstanceExists,
    InstanceNotFound,
    LimitReached,
    NonDeterminism,
    NonRetryable,
    NotAllowedInWorkflow,
    PayloadError,
    PayloadTooLarge,
    RemoteFailure,
    SidecarError,
    SidecarUnavailable,
    UndeclaredError,
    VersionNotAvailable,
    WorkerRefused,
    WorkflowCanceled,
    WorkflowFailed,
    WrongState,
)
from holdfast.retry import Retry
from holdfast.saga import Saga
from holdfast.serialization import register_converter
from holdfast.sync import SyncClient, SyncHandle
from holdfast.worker import Worker
from holdfast_proto.history import Status

__all__ = [
    "Activity",
    "ActivityCanceled",
    "ActivityFailed",
    "ActivityInfo",
    "Call",
    "CallRefused",
    "ChildFailed",
    "Client",
    "CompensationFailed",
    "Context",
    "DefinitionError",
    "Filter",
    "Handle",
    "HoldfastError",
    "Instance",
    "InstanceExists",
    "InstanceNotFound",
    "LimitReached",
    "NonDeterminism",
    "NonRetryable",
    "NotAllowedInWorkflow",
    "Page",
    "PayloadError",
    "PayloadTooLarge",
    "RemoteFailure",
    "Retry",
    "Saga",
    "SidecarError",
    "SidecarUnavailable",
    "StartOptions",
    "Status",
    "SyncClient",
    "SyncHandle",
    "UndeclaredError",
    "VersionNotAvailable",
    "Worker",
    "WorkerRefused",
    "Workflow",
    "WorkflowCanceled",
    "WorkflowFailed",
    "WrongState",
    "activity",
    "current_activity",
    "register_converter",
    "workflow",
]
