"""HF1xx, HF2xx, HF5xx: how names are recognised, and when they are left alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.sdk.lint.looking import body, codes, look

BROKEN = {
    "time.monotonic()": "HF101",
    "datetime.utcnow()": "HF101",
    "datetime.fromtimestamp(3)": "HF104",
    "random.Random()": "HF102",
    "os.urandom(8)": "HF102",
    "uuid.uuid1()": "HF103",
    "os.getenv('X')": "HF104",
    "os.environ.get('X')": "HF104",
    "ctx.now().astimezone()": "HF104",
    "sorted(items, key=id)": "HF105",
    "open('x')": "HF202",
    "(Path('x') / 'y').parent.read_text()": "HF202",
    "os.listdir('.')": "HF202",
    "await asyncio.open_connection('h', 1)": "HF203",
    "asyncio.get_running_loop().create_connection(None)": "HF203",
    "os.system('x')": "HF204",
    "await asyncio.create_subprocess_exec('x')": "HF204",
    "await asyncio.get_running_loop().run_in_executor(None, zlib.compress, b'')": "HF205",
    "asyncio.run(None)": "HF206",
    "asyncio.new_event_loop().create_task(None)": "HF206",
    "print(items)": "HF501",
    "logging.getLogger('x').info('x')": "HF501",
}
FINE = [
    "ctx.random.random()",
    "ctx.uuid4()",
    "ctx.now().astimezone(UTC)",
    "datetime.fromtimestamp(3, UTC)",
    "datetime(2030, 1, 1, tzinfo=UTC)",
    "random.Random(7).random()",
    "uuid.uuid5(uuid.NAMESPACE_DNS, 'x')",
    "Path('x') / 'y'",
    "os.path.join('a', 'b')",
    "await asyncio.sleep(1)",
    "await asyncio.wait_for(ctx.call(render, 'x'), 3)",
    "asyncio.get_running_loop().time()",
    "asyncio.Event().set()",
    "ctx.log.info('x')",
    "sorted(items, key=len)",
    "isinstance(items, Path)",
]


@pytest.mark.parametrize(("line", "code"), BROKEN.items())
def test_a_name_of_the_outside_is_found(line: str, code: str, tmp_path: Path) -> None:
    assert codes(look(tmp_path, body(line))) == [code]


@pytest.mark.parametrize("line", FINE)
def test_what_repeats_is_left_alone(line: str, tmp_path: Path) -> None:
    assert codes(look(tmp_path, body(line))) == []


@pytest.mark.parametrize(
    ("imported", "line"),
    [
        ("import time as t", "t.time()"),
        ("from time import time", "time()"),
        ("from time import time as now", "now()"),
        ("import datetime as dt", "dt.datetime.now()"),
        ("from datetime import datetime as moment", "moment.today()"),
        ("now = time.time", "now()"),
    ],
)
def test_a_name_is_known_under_its_other_names(imported: str, line: str, tmp_path: Path) -> None:
    assert codes(look(tmp_path, f"{imported}\n{body(line)}")) == ["HF101"]


@pytest.mark.parametrize("line", ["import time as t; t.time()", "from time import time; time()"])
def test_an_import_inside_the_workflow_counts(line: str, tmp_path: Path) -> None:
    assert codes(look(tmp_path, body(*line.split("; ")))) == ["HF101"]


def test_a_parameter_hides_the_module_of_its_name(tmp_path: Path) -> None:
    assert codes(look(tmp_path, body("time.time()", head="ctx: holdfast.Context, time: object"))) == []


def test_what_a_variable_holds_is_known(tmp_path: Path) -> None:
    assert codes(look(tmp_path, body("path = Path('x')", "path.write_text('y')"))) == ["HF202"]


def test_what_an_annotation_says_is_known(tmp_path: Path) -> None:
    found = look(tmp_path, body("path.write_text('y')", head="ctx: holdfast.Context, path: 'Path | None'"))
    assert codes(found) == ["HF202"]


def test_a_client_of_the_module_is_the_network(tmp_path: Path) -> None:
    assert codes(look(tmp_path, "session = requests.Session()\n" + body("session.get('x')"))) == ["HF203"]


def test_a_generator_of_the_module_is_chance_even_when_seeded(tmp_path: Path) -> None:
    assert codes(look(tmp_path, "dice = random.Random(7)\n" + body("dice.random()"))) == ["HF102"]


def test_a_logger_of_the_module_is_output(tmp_path: Path) -> None:
    assert codes(look(tmp_path, "log = logging.getLogger(__name__)\n" + body("log.info('x')"))) == ["HF501"]


def test_activities_may_do_all_of_it(tmp_path: Path) -> None:
    source = "@holdfast.activity\ndef now() -> float:\n    return time.time()\n" + body("await ctx.call(now)")
    assert codes(look(tmp_path, source)) == []


def test_code_that_is_no_workflow_may_do_all_of_it(tmp_path: Path) -> None:
    assert codes(look(tmp_path, "STARTED = time.time()\n\ndef main():\n    print(time.time())\n" + body("pass"))) == []


def test_several_mistakes_are_told_in_the_order_of_the_lines(tmp_path: Path) -> None:
    assert codes(look(tmp_path, body("print(1)", "time.time()", "time.sleep(1)"))) == ["HF501", "HF101", "HF201"]


def test_one_mistake_is_told_once_per_line(tmp_path: Path) -> None:
    assert codes(look(tmp_path, body("Path('a').write_text(Path('b').read_text())"))) == ["HF202"]
