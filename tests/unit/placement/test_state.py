"""What people and programs are shown."""

import json

from holdfast_placement.keys import Keys
from holdfast_placement.metrics import StatsCollector, exposition
from holdfast_placement.page import render
from holdfast_placement.records import Leader, Member
from holdfast_placement.state import State, as_json, gather, ranges
from holdfast_placement.stats import Move, Stats
from holdfast_placement.table import AppKey, Host, Row, Table
from holdfast_placement.view import Stored, View

APP = AppKey("default", "orders")


def shown(*, silence_s: float = 0.1, host_name: str = "a") -> State:
    host = Host(host_name, "10.0.0.1:7000", "first")
    view = View(Keys(), 44, partitions={"default": 4})
    view.leader = Stored(Leader("p2", "10.0.0.9:8081", 1_700_000_000_000), 5)
    view.members[APP] = {host_name: Stored(Member(APP, host, True, "p1", 1_700_000_000_000), 7, 1)}
    view.tables[APP] = Stored(
        Table(APP, 9, 4, (host,), (Row(host_name, 9), Row(host_name, 9), Row(None, 9), Row(host_name, 3))), 8
    )
    stats = Stats(joins=3, loop_lag_seconds=0.25)
    stats.refused["PROTOCOL"] += 2
    stats.moved(Move(1_700_000_001_000, APP, 9, (host_name,), ("old",), {(None, host_name): 2}))
    return gather(
        view,
        stats,
        replica_id="p1",
        is_leader=False,
        is_loaded=True,
        etcd_silence_s=silence_s,
        hosts_connected=1,
    )


def test_json_tells_who_owns_what_as_ranges() -> None:
    found = json.loads(json.dumps(as_json(shown())))
    (app,) = found["apps"]
    assert app["hosts"][0]["owned"] == [[0, 1], [3, 3]]
    assert (app["unowned"], app["table_version"], app["partitions"]) == (1, 9, 4)
    assert found["leader"]["replica_id"] == "p2"
    assert found["moves"][0]["moves"] == [{"from": None, "to": "a", "partitions": 2}]
    assert found["moves"][0]["at"] == "2023-11-14T22:13:21.000Z"


def test_the_page_names_host_leader_and_what_is_wrong() -> None:
    page = render(shown(silence_s=12))
    assert "10.0.0.1:7000" in page
    assert "p2" in page
    assert "1 without an owner" in page
    assert "silent for 12 s" in page
    assert "+a −old" in page


def test_the_page_escapes_what_others_have_chosen() -> None:
    assert "<b>" not in render(shown(host_name="<b>"))


def test_an_empty_replica_has_a_page_too() -> None:
    nothing = gather(
        View(Keys()), Stats(), replica_id="p1", is_leader=False, is_loaded=False, etcd_silence_s=0, hosts_connected=0
    )
    assert "No sidecar has joined yet." in render(nothing)
    assert as_json(nothing)["leader"] is None


def test_metrics_carry_counters_and_gauges() -> None:
    stats = Stats(joins=3)
    stats.refused["PROTOCOL"] += 2
    text = exposition(StatsCollector(stats, shown))().decode()
    assert "holdfast_placement_joins_total 3.0" in text
    assert 'holdfast_placement_refused_total{code="PROTOCOL"} 2.0' in text
    assert 'holdfast_placement_hosts_serving{app_id="orders",namespace="default"} 1.0' in text
    assert "holdfast_placement_loop_lag_seconds 0.25" in text


def test_ranges() -> None:
    assert ranges([]) == []
    assert ranges([1, 2, 3, 7]) == [[1, 3], [7, 7]]
