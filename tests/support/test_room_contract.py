"""The contract that guards the rooms can be broken."""

from grimp import ImportGraph

from tests.support.room_contract import RoomContract


def _broken(graph: ImportGraph, **options: object) -> list[str]:
    contract = RoomContract(name="room", session_options={}, contract_options={"rooms": ["shop.core"], **options})
    return list(contract.check(graph, verbose=False).metadata["broken"])


def _graph(importer: str, imported: str, *, is_foreign: bool = False) -> ImportGraph:
    graph = ImportGraph()
    for module in ("shop", "shop.core", "shop.core.turn", "shop.core.lab", "shop.words"):
        graph.add_module(module)
    if is_foreign:
        graph.add_module(imported, is_squashed=True)
    graph.add_import(importer=importer, imported=imported, line_number=7, line_contents="import")
    return graph


def test_a_room_may_use_itself_and_what_the_table_gives_it() -> None:
    assert _broken(_graph("shop.core.turn", "shop.core")) == []
    assert _broken(_graph("shop.core.turn", "shop.words"), may_import=["shop.words"]) == []
    assert _broken(_graph("shop.words", "shop.core")) == []


def test_another_room_is_refused_with_the_line() -> None:
    assert _broken(_graph("shop.core.turn", "shop.words")) == ["shop.core.turn imports shop.words (line 7)"]


def test_a_room_within_a_room_has_a_door_of_its_own() -> None:
    graph = _graph("shop.core.turn", "shop.core.lab")
    assert _broken(graph, without=["shop.core.lab"]) == ["shop.core.turn imports shop.core.lab (line 7)"]
    assert _broken(graph, without=["shop.core.lab"], may_import=["shop.core.lab"]) == []
    assert _broken(_graph("shop.core.lab", "shop.words"), without=["shop.core.lab"]) == []


def test_libraries_are_named_and_the_standard_library_is_open_but_for_what_is_never() -> None:
    assert len(_broken(_graph("shop.core", "redis", is_foreign=True))) == 1
    assert _broken(_graph("shop.core", "redis", is_foreign=True), libraries=["redis"]) == []
    assert _broken(_graph("shop.core", "redis", is_foreign=True), libraries=["*"]) == []
    assert _broken(_graph("shop.core", "heapq", is_foreign=True), never=["asyncio"]) == []
    assert len(_broken(_graph("shop.core", "asyncio", is_foreign=True), never=["asyncio"], libraries=["*"])) == 1
