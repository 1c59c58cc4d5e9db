"""A worker that runs until it is killed. It writes a line to its output at each step that a test waits for."""

import sys
import time

from durabletask import task
from durabletask.worker import TaskHubGrpcWorker


def says(line: str) -> None:
    print(line, flush=True)


def hangs(_: task.ActivityContext, value):
    says(f"activity {value}")
    time.sleep(600)


def calls(ctx: task.OrchestrationContext, value):
    return (yield ctx.call_activity("crosses", input=value))


def thinks(_: task.OrchestrationContext, value):
    says(f"turn {value}")
    time.sleep(600)


if __name__ == "__main__":
    worker = TaskHubGrpcWorker(host_address=sys.argv[1])
    worker._registry.add_named_activity("crosses", hangs)
    worker.add_orchestrator(calls)
    worker.add_orchestrator(thinks)
    worker.start()
    says("started")
    time.sleep(600)
