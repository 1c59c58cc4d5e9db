"""A worker that runs until it is killed. It writes a line to its output at each step that a test waits for."""

import sys
import time

from dapr.ext.workflow import WorkflowRuntime


def says(line: str) -> None:
    print(line, flush=True)


def hangs(_, value):
    says(f"activity {value}")
    time.sleep(600)


def calls(ctx, value):
    return (yield ctx.call_activity("crosses", input=value))


def thinks(_, value):
    says(f"turn {value}")
    time.sleep(600)


if __name__ == "__main__":
    host, port = sys.argv[1].split(":")
    runtime = WorkflowRuntime(host=host, port=port)
    runtime.register_activity(hangs, name="crosses")
    runtime.register_workflow(calls)
    runtime.register_workflow(thinks)
    runtime.start()
    says("started")
    time.sleep(600)
