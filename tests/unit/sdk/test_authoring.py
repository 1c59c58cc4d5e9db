from __future__ import annotations

import asyncio
import inspect
import types
from collections.abc import Callable, Generator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest

import holdfast
from holdfast import Activity, Context, DefinitionError, PayloadError, UndeclaredError
from holdfast.registry import Registry
from tests.unit.sdk.story import Story, names


@dataclass
class Order:
    id: str
    amount: int


@holdfast.activity
async def charge(order: Order) -> str:
    """Takes the money."""
    return f"receipt {order.id}"


@holdfast.activity(name="mail")
def send_mail(to: str, subject: str, urgent: bool = False) -> None:
    del to, subject, urgent


class Payments:
    def __init__(self, bank: str) -> None:
        self.bank = bank

    @holdfast.activity
    async def pay(self, order: Order) -> str:
        return f"{self.bank} {order.id}"

    @holdfast.activity
    def ping(self) -> str:
        return self.bank


def test_an_activity_is_still_a_function() -> None:
    assert asyncio.run(charge(Order("a", 1))) == "receipt a"
    assert inspect.iscoroutinefunction(charge.function)
    assert (charge.name, charge.is_async, charge.__doc__) == ("charge", True, "Takes the money.")
    assert (send_mail.name, send_mail.is_async) == ("mail", False)


def test_a_method_is_called_on_its_object_and_named_by_its_class() -> None:
    payments = Payments("ours")
    assert payments.ping() == "ours"
    assert asyncio.run(payments.pay(Order("a", 1))) == "ours a"
    assert isinstance(Payments.pay, Activity)
    assert Registry(payments).activities["pay"].owner is payments


def test_a_workflow_calls_a_method_through_its_class() -> None:
    @holdfast.workflow
    async def buy(ctx: Context, order: Order) -> str:
        return await ctx.call(Payments.pay, order)

    story = Story(buy)
    action = story.start('{"id":"a","amount":5}').actions[0]
    assert (getattr(action, "name", ""), getattr(action, "input", "")) == ("pay", '{"id":"a","amount":5}')
    story.completed(0, '"ok"')
    assert story.result == '"ok"'


@pytest.mark.parametrize(
    ("arguments", "payload"),
    [
        (("a", "b"), '["a","b"]'),
        (("a", "b", True), '["a","b",true]'),
    ],
)
def test_several_arguments_are_an_array_and_defaults_may_be_left_out(arguments: tuple[Any, ...], payload: str) -> None:
    assert send_mail.signature.encode(arguments) == payload
    assert send_mail.signature.decode(payload) == arguments


def test_one_argument_that_is_a_list_stays_one_argument() -> None:
    @holdfast.activity
    def total(amounts: list[int]) -> int:
        return sum(amounts)

    payload = total.signature.encode(([1, 2],))
    assert payload == "[1,2]"
    assert total.signature.decode(payload) == ([1, 2],)


def test_an_argument_with_a_default_may_be_absent() -> None:
    @holdfast.activity
    def page(size: int = 10) -> int:
        return size

    assert page.signature.encode(()) is None
    assert page.signature.decode(None) == ()
    assert page.signature.decode("5") == (5,)


def test_an_argument_of_the_wrong_type_is_named_by_function_parameter_and_place() -> None:
    with pytest.raises(PayloadError, match=r'charge\(order\): expected int at \$.amount, found str "x"'):
        charge.signature.decode('{"id":"a","amount":"x"}')


def test_a_wrong_number_of_arguments_is_named() -> None:
    with pytest.raises(PayloadError, match=r"charge\(\): expected order, found 2 arguments"):
        charge.signature.encode((1, 2))
    with pytest.raises(PayloadError, match=r"mail\(\): expected to, subject, urgent, found 1 argument$"):
        send_mail.signature.encode(("a",))


def test_a_wrong_input_fails_the_workflow_with_its_name() -> None:
    @holdfast.workflow
    async def buy(ctx: Context, order: Order) -> None:
        return None

    story = Story(buy)
    story.start('{"id":5,"amount":5}')
    assert story.failure.message == "buy(order): expected str at $.id, found int 5"


def test_a_result_that_cannot_be_written_fails_the_workflow() -> None:
    @holdfast.workflow
    async def odd(ctx: Context) -> object:
        return object()

    story = Story(odd)
    story.start()
    assert story.failure.message.startswith("result of odd(): a value of type object cannot be written as JSON")


def test_a_result_of_the_wrong_type_is_raised_where_it_may_wait() -> None:
    @holdfast.workflow
    async def buy(ctx: Context) -> str:
        try:
            return await ctx.call(charge, Order("a", 1))
        except PayloadError as error:
            return str(error)

    story = Story(buy)
    story.start()
    story.completed(0, "5")
    assert story.result == '"result of charge(): expected str at $, found int 5"'


# ---- calls that cannot work ----------------------------------------------------------------------------------------


def undeclared(order: Order) -> None:
    del order


@holdfast.workflow
async def helper(ctx: Context, order: Order) -> None:
    del ctx, order


_WRONG: list[tuple[Callable[[Any], object], str]] = [
    (
        lambda ctx: ctx.call(undeclared, 1),
        "ctx.call(): undeclared is not declared; decorate it with @holdfast.activity",
    ),
    (lambda ctx: ctx.call(helper, 1), "expected activity, found <workflow 'helper'"),
    (lambda ctx: ctx.child(charge, 1), "expected workflow, found <activity 'charge'"),
    (
        lambda ctx: ctx.child(undeclared),
        "ctx.child(): undeclared is not declared; decorate it with @holdfast.workflow",
    ),
    (lambda ctx: ctx.start_detached(5), "ctx.start_detached(): 5 is not declared"),
    (lambda ctx: ctx.call(charge, 1, order=2), "unknown option 'order'; arguments of the activity go by position"),
    (lambda ctx: ctx.call(charge, 1, heartbeat=-1), "ctx.call(heartbeat): expected a number of seconds from 0 on"),
    (lambda ctx: ctx.sleep(float("nan")), "ctx.sleep(): expected a number of seconds from 0 on, found nan"),
    (lambda ctx: ctx.sleep_until(datetime.fromisoformat("2030-01-01")), "expected a time with a zone"),
]


@pytest.mark.parametrize(("use", "said"), _WRONG)
def test_a_call_that_cannot_work_says_what_to_do(use: Any, said: str) -> None:
    @holdfast.workflow
    async def wrong(ctx: Context) -> None:
        use(ctx)

    story = Story(wrong)
    story.start()
    assert said in story.failure.message


# ---- declarations that cannot work ---------------------------------------------------------------------------------


_declare: Any = holdfast.workflow  # what type checkers refuse, the decorator refuses as well


def test_a_plain_function_is_no_workflow() -> None:
    with pytest.raises(DefinitionError, match="make it `async def`"):
        _declare(undeclared)


def test_a_workflow_takes_the_context_and_one_input() -> None:
    async def many(ctx: Context, a: int, b: int) -> None:
        del ctx, a, b

    async def none() -> None:
        return None

    with pytest.raises(DefinitionError, match="at most one input, found a, b; put them into one dataclass"):
        holdfast.workflow(many)
    with pytest.raises(DefinitionError, match="expected a first parameter for the context"):
        _declare(none)


def test_a_keyword_only_parameter_does_not_travel() -> None:
    def by_keyword(*, amount: int) -> None:
        del amount

    with pytest.raises(DefinitionError, match="parameter 'amount' is keyword-only"):
        holdfast.activity(by_keyword)


def test_a_type_that_cannot_be_read_is_found_when_it_is_registered() -> None:
    @holdfast.activity
    def odd(value: complex) -> None:
        del value

    with pytest.raises(DefinitionError, match=r"odd\(value\): values of type complex cannot be read"):
        Registry(odd)


def test_an_annotation_that_does_not_exist_is_named() -> None:
    def odd(value: int) -> None:
        del value

    odd.__annotations__["value"] = "Missing"
    with pytest.raises(DefinitionError, match=r"odd\(\): the annotation 'Missing' cannot be found"):
        Registry(holdfast.activity(odd))


def test_two_activities_of_one_name_are_refused() -> None:
    with pytest.raises(DefinitionError, match="activity 'charge' is declared twice"):
        Registry(charge, holdfast.activity(name="charge")(undeclared))
    assert list(Registry(charge, charge).activities) == ["charge"]


def test_two_workflows_of_one_name_need_versions() -> None:
    async def other(ctx: Context, order: Order) -> None:
        del ctx, order

    with pytest.raises(DefinitionError, match=r"workflow 'helper' is declared twice.*or a version"):
        Registry(helper, holdfast.workflow(name="helper")(other))
    both = Registry(helper, holdfast.workflow(name="helper", version="2")(other))
    assert both.versions == {"helper": ("2",)}


def test_a_class_with_activities_must_be_made_first() -> None:
    with pytest.raises(DefinitionError, match=r"class Payments: register an object of it, such as Payments\(...\)"):
        Registry(Payments)
    with pytest.raises(DefinitionError, match="is a method of Payments: register an object"):
        Registry(Payments.pay)


@pytest.mark.parametrize("offer", [undeclared, 5, object()])
def test_what_is_not_declared_cannot_be_registered(offer: object) -> None:
    with pytest.raises(
        DefinitionError, match="expected a workflow, an activity, an object with activities or a module"
    ):
        Registry(offer)


def test_a_module_offers_all_that_it_declares() -> None:
    module = types.ModuleType("shop")
    vars(module).update(charge=charge, helper=helper, Order=Order, undeclared=undeclared)
    registry = Registry(module, Payments("b"))
    assert sorted(registry.activities) == ["charge", "pay", "ping"]
    assert registry.versions == {"helper": ()}


def test_only_functions_can_be_declared() -> None:
    with pytest.raises(DefinitionError, match="@activity: expected a function or a method"):
        holdfast.activity(charge)
    with pytest.raises(DefinitionError, match="@workflow: expected a function"):
        _declare(Payments)


def test_a_workflow_can_run_another_inline() -> None:
    @holdfast.workflow
    async def inner(ctx: Context, order: Order) -> str:
        return await ctx.call(charge, order)

    @holdfast.workflow
    async def outer(ctx: Context, order: Order) -> str:
        return await inner(ctx, order)

    story = Story(outer)
    assert names(story.start('{"id":"a","amount":5}')) == ["charge#0"]


def test_a_generators_result_is_its_return_type() -> None:
    @holdfast.workflow
    def steps(ctx: Context) -> Generator[Any, Any, Order]:
        yield ctx.sleep(1)
        return Order("a", 1)

    assert steps.signature.result is Order


def test_undeclared_is_also_a_holdfast_error() -> None:
    assert issubclass(UndeclaredError, holdfast.HoldfastError)
