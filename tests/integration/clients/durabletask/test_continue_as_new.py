import threading
from datetime import timedelta

from durabletask import task


def test_a_workflow_continues_as_new_many_times(client, serve, finished):
    def counts(ctx: task.OrchestrationContext, number: int):
        yield ctx.create_timer(timedelta(milliseconds=1))
        if number < 25:
            ctx.continue_as_new(number + 1)
            return None
        return number

    serve([counts])
    instance_id = client.schedule_new_orchestration(counts, input=0)
    assert finished(instance_id).get_output() == 25


def test_a_tight_loop_of_generations_ends(client, serve, finished):
    def spins(ctx: task.OrchestrationContext, number: int):
        if number < 100:
            ctx.continue_as_new(number + 1)
            return None
        return number

    serve([spins])
    assert finished(client.schedule_new_orchestration(spins, input=0)).get_output() == 100


def test_unread_events_are_carried_over_when_asked(client, serve, finished):
    def adds_up(ctx: task.OrchestrationContext, total: int):
        value = yield ctx.wait_for_external_event("value")
        if value is None:
            return total
        ctx.continue_as_new(total + value, save_events=True)

    serve([adds_up])
    instance_id = client.schedule_new_orchestration(adds_up, input=0)
    for number in range(1, 41):
        client.raise_orchestration_event(instance_id, "value", data=number)
    client.raise_orchestration_event(instance_id, "value")
    assert finished(instance_id).get_output() == sum(range(1, 41))


def test_events_of_many_names_survive_generations_in_order(client, serve, finished):
    def alternates(ctx: task.OrchestrationContext, seen: list):
        names = ["a", "b", "a", "b", "b"]
        seen.append((yield ctx.wait_for_external_event(names[len(seen)])))
        if len(seen) < len(names):
            ctx.continue_as_new(seen, save_events=True)
            return None
        return seen

    serve([alternates])
    instance_id = client.schedule_new_orchestration(alternates, input=[])
    for name, data in [("b", 1), ("b", 2), ("b", 3), ("a", 4), ("a", 5)]:
        client.raise_orchestration_event(instance_id, name, data=data)
    assert finished(instance_id).get_output() == [4, 1, 5, 2, 3]


def test_a_timer_of_an_old_generation_is_void(client, serve, finished):
    def outlives(ctx: task.OrchestrationContext, generation: int):
        if generation == 1:
            ctx.create_timer(timedelta(milliseconds=300))
            yield ctx.create_timer(timedelta(milliseconds=10))
            ctx.continue_as_new(2)
            return None
        before = ctx.current_utc_datetime
        yield ctx.create_timer(timedelta(seconds=1))
        return (ctx.current_utc_datetime - before).total_seconds()

    serve([outlives])
    assert finished(client.schedule_new_orchestration(outlives, input=1)).get_output() >= 1.0


def test_an_answer_for_an_old_generation_is_void(client, serve, finished):
    gate = threading.Event()

    def slow(_: task.ActivityContext, generation: int):
        if generation == 1:
            gate.wait(20)
        return generation

    def moves_on(ctx: task.OrchestrationContext, generation: int):
        call = ctx.call_activity(slow, input=generation)
        if generation == 1:
            yield ctx.create_timer(timedelta(milliseconds=100))
            ctx.continue_as_new(2)
            return None
        gate.set()
        yield ctx.create_timer(timedelta(milliseconds=300))
        return (yield call)

    serve([moves_on], [slow])
    assert finished(client.schedule_new_orchestration(moves_on, input=1)).get_output() == 2


def test_a_child_that_continues_as_new_still_answers_its_parent(client, serve, finished):
    def child(ctx: task.OrchestrationContext, number: int):
        yield ctx.create_timer(timedelta(milliseconds=1))
        if number < 5:
            ctx.continue_as_new(number + 1)
            return None
        return number

    def parent(ctx: task.OrchestrationContext, _):
        return (yield ctx.call_sub_orchestrator(child, input=0))

    serve([parent, child])
    assert finished(client.schedule_new_orchestration(parent)).get_output() == 5


def test_children_of_two_generations_do_not_meet(client, serve, finished):
    def child(_: task.OrchestrationContext, value):
        return value

    def renews(ctx: task.OrchestrationContext, results: list):
        results.append((yield ctx.call_sub_orchestrator(child, input=len(results))))
        if len(results) < 3:
            ctx.continue_as_new(results)
            return None
        return results

    serve([renews, child])
    assert finished(client.schedule_new_orchestration(renews, input=[])).get_output() == [0, 1, 2]
