"""The names of the metrics are a promise: the page and the scrape say the same."""

import re
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from holdfast_kit.clock import VirtualClock
from holdfast_sidecar.compose import make_host
from holdfast_sidecar.config import load_config
from holdfast_sidecar.stores.memory import MemoryStore
from holdfast_sidecar.telemetry.measured import MeasuredStore
from holdfast_sidecar.telemetry.metrics import Metrics

PAGE = Path(__file__).parents[4] / "docs" / "metrics.md"
_SUFFIX = re.compile(r"_(bucket|sum|count)$")


def scraped() -> dict[str, float]:
    clock = VirtualClock()
    store = MeasuredStore(MemoryStore(), clock)
    host = make_host(load_config(), store, clock)
    host.counters.turns = 7
    text = Metrics(host, store, version="9").text().decode()
    return {s.name: s.value for family in text_string_to_metric_families(text) for s in family.samples}


def test_the_page_names_what_a_scrape_gives_and_nothing_else() -> None:
    given = {_SUFFIX.sub("", name) for name in scraped() if name.startswith("holdfast_")}
    described = set(re.findall(r"^\| `(holdfast_\w+)", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    assert given == described


def test_a_scrape_reads_the_counters_of_the_engine() -> None:
    assert scraped()["holdfast_turns_total"] == 7
