"""An app and its sidecar may share one environment."""

from holdfast_sidecar.config import load_config


def test_the_sdks_own_variables_are_no_mistakes_in_a_sidecars_environment() -> None:
    assert load_config({}, {"HOLDFAST_ADDRESS": "localhost:50001"}).grpc_port == 50001
