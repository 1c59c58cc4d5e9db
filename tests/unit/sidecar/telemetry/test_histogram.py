"""The plain-number histogram against a slow one."""

from hypothesis import given
from hypothesis import strategies as st

from holdfast_sidecar.telemetry.histogram import Histogram

seconds = st.floats(min_value=0, max_value=100, allow_nan=False)


@given(st.lists(seconds))
def test_a_bucket_counts_everything_up_to_its_bound(values: list[float]) -> None:
    histogram = Histogram((0.01, 0.1, 1.0))
    for value in values:
        histogram.add(value)
    expected = [("0.01", 0.01), ("0.1", 0.1), ("1", 1.0), ("+Inf", float("inf"))]
    assert histogram.buckets() == [(name, sum(value <= bound for value in values)) for name, bound in expected]


@given(st.lists(seconds))
def test_the_sum_is_that_of_the_values(values: list[float]) -> None:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    assert histogram.sum == sum(values)
