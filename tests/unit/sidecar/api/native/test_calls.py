"""What requests of the client service cost the engine, on a clock that the test moves."""

from __future__ import annotations

from holdfast_proto.actions import CompleteWorkflow
from holdfast_proto.history import Status
from holdfast_proto.v1 import client_pb2 as pb
from holdfast_sidecar.api.native.calls import answer
from tests.unit.sidecar.actors.house import House
from tests.unit.sidecar.core.stage import ID

START = pb.StartRequest(name="order", instance_id=ID, execution_id="run-1")


def test_a_run_of_one_turn_is_one_commit_and_a_start_with_it_two() -> None:
    commits: list[int] = []
    for request in (pb.Request(run=pb.RunRequest(start=START)), pb.Request(start=START)):
        with House() as house:
            asked = house.loop.create_task(answer(house.engine, request))
            house.loop.settle()
            house.turn(CompleteWorkflow(seq=9, status=Status.COMPLETED))
            assert not asked.result().HasField("error")
            commits.append(house.commits)
    assert commits == [1, 2]
