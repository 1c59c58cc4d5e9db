from durabletask import task


def test_a_child_runs_under_the_id_it_was_given_and_knows_its_parent(client, serve, finished, new_id):
    def child(ctx: task.OrchestrationContext, _):
        return [ctx.instance_id, ctx.parent_instance_id]

    def parent(ctx: task.OrchestrationContext, child_id: str):
        return (yield ctx.call_sub_orchestrator(child, instance_id=child_id))

    serve([parent, child])
    child_id = new_id()
    instance_id = client.schedule_new_orchestration(parent, input=child_id)
    assert finished(instance_id).get_output() == [child_id, instance_id]
