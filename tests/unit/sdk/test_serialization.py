from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Annotated, Any, Literal, NamedTuple, TypedDict
from uuid import UUID

import msgspec
import pytest
from pydantic import BaseModel, Field

from holdfast import DefinitionError, PayloadError, register_converter, serialization


class Colour(Enum):
    RED = "red"


class Level(IntEnum):
    HIGH = 3


@dataclass
class Item:
    sku: str
    count: int = 1


@dataclass
class Order:
    amount: int
    items: list[Item] = field(default_factory=list[Item])
    note: str | None = None


class Point(msgspec.Struct):
    x: int
    y: int


class Place(NamedTuple):
    row: int
    name: str


class Address(TypedDict):
    street: str
    number: int


class Customer(BaseModel):
    name: str
    age: int = Field(ge=0)


@dataclass
class Visit:
    customer: Customer


class Money:
    def __init__(self, cents: int) -> None:
        self.cents = cents

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Money) and other.cents == self.cents

    __hash__ = None  # type: ignore[assignment]


@pytest.fixture
def _money() -> Iterator[None]:
    register_converter(
        Money, encode=lambda money: f"{money.cents} cents", decode=lambda text: Money(int(text.split()[0]))
    )
    yield
    serialization.forget_converter(Money)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (None, None),
        (True, bool),
        (-(2**60), int),
        (1.5, float),
        ("ünï\u2028", str),
        ([1, 2], list[int]),
        ({"a": [1]}, dict[str, list[int]]),
        ({3: "x"}, dict[int, str]),
        ((1, "a"), tuple[int, str]),
        ({1, 2}, set[int]),
        (frozenset({"a"}), frozenset[str]),
        (b"\x00\xff", bytes),
        (datetime(2030, 1, 2, 3, 4, 5, 6, tzinfo=UTC), datetime),
        (date(2030, 1, 2), date),
        (timedelta(days=2, microseconds=5), timedelta),
        (UUID(int=5), UUID),
        (Decimal("1.10"), Decimal),
        (Colour.RED, Colour),
        (Level.HIGH, Level),
        (Order(5, [Item("a", 2)]), Order),
        (Point(1, 2), Point),
        (Place(1, "a"), Place),
        (Address(street="x", number=1), Address),
        (Customer(name="a", age=1), Customer),
        (Visit(Customer(name="a", age=1)), Visit),
        ([Customer(name="a", age=1)], list[Customer]),
        (Item("a"), Item | None),
        (None, Item | None),
        ("a", Literal["a", "b"]),
        (7, Annotated[int, msgspec.Meta(ge=5)]),
        ({"any": [1, None]}, Any),
    ],
)
def test_a_value_comes_back_as_it_was(value: object, kind: Any) -> None:
    text = serialization.encode(value, what="it")
    assert serialization.decode(text, kind, what="it") == value


@pytest.mark.usefixtures("_money")
def test_a_class_with_a_converter_travels_at_any_depth() -> None:
    text = serialization.encode({"price": [Money(5)]}, what="it")
    assert text == '{"price":["5 cents"]}'
    assert serialization.decode(text, dict[str, list[Money]], what="it") == {"price": [Money(5)]}


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ('{"amount":"x"}', Order, 'it: expected int at $.amount, found str "x"'),
        ('{"amount":1,"items":[{"sku":"a"},{"sku":5}]}', Order, "it: expected str at $.items[1].sku, found int 5"),
        ("{}", Order, "it: object missing required field `amount` at $"),
        ("5", Order, "it: expected object at $, found int 5"),
        ("[1]", Order, "it: expected object at $, found array [1]"),
        ('{"a":"x"}', dict[str, int], "it: expected int at $[...], found str"),
        ('"blue"', Colour, "it: invalid enum value 'blue' at $"),
        ("3", Annotated[int, msgspec.Meta(ge=5)], "it: expected `int` >= 5 at $"),
        ('{"customer":{"name":"a","age":"x"}}', Visit, "at $.customer.age, found str"),
        ('{"customer":{"name":"a","age":-1}}', Visit, "at $.customer.age, found int -1"),
        ('{"customer":{"age":1}}', Visit, "it: field required at $.customer.name"),
        ("{", Any, "it: expected JSON, found {: "),
        (None, int, "it: expected int at $, found nothing"),
    ],
)
def test_what_does_not_fit_is_named_by_its_place(text: str | None, kind: Any, said: str) -> None:
    with pytest.raises(PayloadError) as caught:
        serialization.decode(text, kind, what="it")
    assert said in str(caught.value)


def test_a_long_value_is_shown_in_part() -> None:
    with pytest.raises(PayloadError) as caught:
        serialization.decode('"' + "x" * 5000 + '"', int, what="it")
    assert len(str(caught.value)) < 150


def test_no_payload_is_none_where_that_is_allowed() -> None:
    assert serialization.decode(None, Item | None, what="it") is None
    assert serialization.decode(None, Any, what="it") is None
    assert serialization.decode(None, type(None), what="it") is None


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (object(), "it: a value of type object cannot be written as JSON; use a dataclass"),
        ({"a": [Money(1)]}, "it: a value of type Money cannot be written as JSON"),
        ("\ud800", "it: cannot be written as JSON"),
        ({(1, 2): 3}, "it: a value of type tuple cannot be written as JSON"),
        (lambda: 1, "it: a value of type function cannot be written as JSON"),
    ],
)
def test_what_cannot_be_written_says_what_could(value: object, said: str) -> None:
    with pytest.raises(PayloadError) as caught:
        serialization.encode(value, what="it")
    assert str(caught.value).startswith(said)


def test_a_value_that_contains_itself_is_refused() -> None:
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(PayloadError, match="contains itself"):
        serialization.encode(loop, what="it")


@pytest.mark.parametrize("kind", [Order | Item, list[Order | Item], complex | int])
def test_a_union_that_nobody_can_decide_is_refused_when_it_is_declared(kind: Any) -> None:
    with pytest.raises(DefinitionError, match="it: values of type"):
        serialization.check_type(kind, what="it")


def test_a_class_that_cannot_be_read_says_what_could() -> None:
    with pytest.raises(PayloadError, match="Money is not known; use a dataclass"):
        serialization.decode('"5"', Money, what="it")


def test_a_class_that_cannot_be_read_is_found_when_it_is_declared() -> None:
    @dataclass
    class Deep:
        prices: dict[str, list[Money] | None]

    with pytest.raises(DefinitionError, match="it: values of type Money cannot be read"):
        serialization.check_type(Deep, what="it")
    serialization.check_type(Visit, what="it")
