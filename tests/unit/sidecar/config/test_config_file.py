"""Reading the file."""

from pathlib import Path

import pytest

from holdfast_sidecar.config_file import read_mapping
from holdfast_sidecar.startup import Unstartable


def written(folder: Path, text: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(text)
    return path


def test_a_mapping_is_read(tmp_path: Path) -> None:
    assert read_mapping(written(tmp_path, "grpc_port: 1\nlimits:\n  inbox_events_max: 5\n")) == {
        "grpc_port": 1,
        "limits": {"inbox_events_max": 5},
    }


def test_an_empty_file_says_nothing(tmp_path: Path) -> None:
    assert read_mapping(written(tmp_path, "# nothing\n")) == {}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: 1\na: 2\n", "'a' stands here twice"),
        ("- a\n", "expected a mapping, found list"),
        ("a: [", "expected YAML"),
        ("a: !!python/object:os.system {}", "expected YAML"),
    ],
)
def test_what_is_no_mapping_is_refused(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(Unstartable, match=r"config\.yaml") as caught:
        read_mapping(written(tmp_path, text))
    assert told in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unstartable, match=r"nowhere\.yaml"):
        read_mapping(tmp_path / "nowhere.yaml")
