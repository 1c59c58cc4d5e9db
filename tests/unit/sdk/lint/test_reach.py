"""How far the search goes: through helpers and modules, to activities and installed packages."""

from __future__ import annotations

from pathlib import Path

from holdfast.lint import check
from tests.unit.sdk.lint.looking import body, codes, look

PRICES = "import time\n\ndef total():\n    return time.time()\n"
ROOT = Path(__file__).parents[4]


def test_a_helper_in_the_same_module_is_looked_into(tmp_path: Path) -> None:
    (finding,) = look(tmp_path, "def helper():\n    return time.time()\n" + body("helper()"))
    assert finding.message == ("time.time() gives another time at each replay (in helper, reached by workflow flow)")


def test_a_helper_that_nobody_calls_is_not(tmp_path: Path) -> None:
    assert codes(look(tmp_path, "def helper():\n    return time.time()\n" + body("pass"))) == []


def test_helpers_of_helpers_in_other_modules_are_found_with_the_way_there(tmp_path: Path) -> None:
    (finding,) = look(
        tmp_path,
        "from shop.prices import total\n" + body("total(ctx)"),
        {
            "shop/__init__.py": "",
            "shop/prices.py": "from .clock import today\n\ndef total(ctx):\n    return today()\n",
            "shop/clock.py": "import time\n\ndef today():\n    return time.time()\n",
        },
    )
    assert finding.path == tmp_path / "shop" / "clock.py"
    assert finding.via == ("total", "today")
    assert "in today, reached by workflow flow through total" in finding.message


def test_functions_are_followed_through_modules_packages_and_other_names(tmp_path: Path) -> None:
    for line in ("import shop.prices as p\n", "from shop import prices as p\n", "import shop as s\np = s.prices\n"):
        found = look(tmp_path, line + body("p.total()"), {"shop/__init__.py": "", "shop/prices.py": PRICES})
        assert codes(found) == ["HF101"], line


def test_a_name_that_a_package_passes_on_is_followed(tmp_path: Path) -> None:
    found = look(
        tmp_path,
        "from shop import total\n" + body("total()"),
        {"shop/__init__.py": "from shop.prices import total\n", "shop/prices.py": PRICES},
    )
    assert codes(found) == ["HF101"]


def test_functions_that_are_handed_on_are_looked_into(tmp_path: Path) -> None:
    source = "def key(x):\n    return random.random()\n" + body("sorted(items, key=key)")
    assert codes(look(tmp_path, source)) == ["HF102"]


def test_lambdas_belong_to_the_workflow(tmp_path: Path) -> None:
    assert codes(look(tmp_path, body("sorted(items, key=lambda x: random.random())"))) == ["HF102"]


def test_functions_defined_inside_count_when_they_are_called(tmp_path: Path) -> None:
    inner = ["def inner():", "    return time.time()"]
    assert codes(look(tmp_path, body(*inner))) == []
    assert codes(look(tmp_path, body(*inner, "inner()"))) == ["HF101"]


def test_methods_and_constructors_are_looked_into(tmp_path: Path) -> None:
    source = """
    class Base:
        def stamp(self):
            return time.time()
    class Cart(Base):
        def __init__(self):
            self.id = uuid.uuid4()
        def total(self):
            return self.stamp()
    """
    assert codes(look(tmp_path, source.replace("\n    ", "\n") + body("cart = Cart()", "cart.total()"))) == [
        "HF101",
        "HF103",
    ]


def test_activities_end_the_search(tmp_path: Path) -> None:
    source = "@holdfast.activity\ndef now():\n    return deeper()\ndef deeper():\n    return time.time()\n"
    assert codes(look(tmp_path, source + body("await ctx.call(now)"))) == []


def test_workflows_are_found_by_every_way_to_declare_them(tmp_path: Path) -> None:
    ways = [
        "from holdfast import workflow\n@workflow\n",
        "import holdfast as hf\n@hf.workflow(name='x')\n",
        "from holdfast.authoring import workflow as flow\n@flow()\n",
    ]
    for way in ways:
        assert codes(look(tmp_path, f"{way}async def run(ctx):\n    time.time()\n")) == ["HF101"], way


def test_workflows_inside_functions_and_generators_are_found(tmp_path: Path) -> None:
    source = """
    def make():
        @holdfast.workflow
        def run(ctx):
            yield ctx.sleep(time.time())
        return run
    """
    assert codes(look(tmp_path, source)) == ["HF101"]


def test_a_decorator_of_another_package_makes_no_workflow(tmp_path: Path) -> None:
    assert codes(look(tmp_path, "import prefect\n@prefect.workflow\nasync def run(ctx):\n    time.time()\n")) == []


def test_helpers_that_call_each_other_end(tmp_path: Path) -> None:
    source = "def a():\n    b()\ndef b():\n    a()\n    time.time()\n" + body("a()")
    assert codes(look(tmp_path, source)) == ["HF101"]


def test_names_that_stand_for_each_other_end(tmp_path: Path) -> None:
    assert codes(look(tmp_path, "a = b\nb = a\n" + body("a()", "a.x = a.y"))) in ([], ["HF301"])


def test_environments_and_hidden_folders_are_passed_over(tmp_path: Path) -> None:
    bad = "import time, holdfast\n@holdfast.workflow\nasync def w(ctx):\n    time.time()\n"
    for folder in (".hidden", "venv", "node_modules", "src"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "app.py").write_text(bad)
    (tmp_path / "venv" / "pyvenv.cfg").touch()
    assert [finding.path.parent.name for finding in check([tmp_path])] == ["src"]


def test_a_file_that_is_no_python_is_told_where(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("workflow = 1\ndef (:\n")
    (finding,) = check([tmp_path])
    assert (finding.code, finding.line) == ("HF001", 2)


def test_the_examples_of_this_project_are_clean() -> None:
    assert check([ROOT / "examples"]) == []
