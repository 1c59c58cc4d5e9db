from datetime import timedelta

from durabletask import task


def collects(ctx: task.OrchestrationContext, names: list[str]):
    found = []
    for name in names:
        found.append((yield ctx.wait_for_external_event(name)))
    return found


def test_a_workflow_sends_events_to_another_one(client, serve, finished):
    def sends(ctx: task.OrchestrationContext, target: str):
        for number in range(3):
            ctx.send_event(target, "n", data=number)
        yield ctx.create_timer(timedelta(milliseconds=10))
        ctx.send_event(target, "n", data="after a turn")
        return "sent"

    serve([collects, sends])
    target = client.schedule_new_orchestration(collects, input=["n"] * 4)
    assert finished(client.schedule_new_orchestration(sends, input=target)).get_output() == "sent"
    assert finished(target).get_output() == [0, 1, 2, "after a turn"]


def test_a_workflow_sends_an_event_to_nobody_and_goes_on(client, serve, finished, new_id):
    def sends(ctx: task.OrchestrationContext, target: str):
        ctx.send_event(target, "n", data=1)
        yield ctx.create_timer(timedelta(milliseconds=10))
        return "sent"

    serve([sends])
    assert finished(client.schedule_new_orchestration(sends, input=new_id())).get_output() == "sent"


def test_a_workflow_sends_an_event_to_itself(client, serve, finished):
    def talks_to_itself(ctx: task.OrchestrationContext, _):
        ctx.send_event(ctx.instance_id, "echo", data="me")
        return (yield ctx.wait_for_external_event("echo"))

    serve([talks_to_itself])
    assert finished(client.schedule_new_orchestration(talks_to_itself)).get_output() == "me"
