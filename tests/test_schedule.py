import pytest

from selfsight.schedule import rising_momentum, warm_up_cosine


@pytest.mark.parametrize(
    ("step", "rate"), [(0, 0.0), (50, 0.5), (99, 0.99), (100, 1.0), (550, 0.5), (999, 3.046e-6)]
)
def test_the_rate_has_the_reference_values(step: int, rate: float) -> None:
    assert warm_up_cosine(step / 1000, warm_up=0.1) == pytest.approx(rate, rel=1e-3, abs=1e-12)


def test_without_a_warm_up_the_rate_begins_at_its_peak() -> None:
    assert warm_up_cosine(0.0, warm_up=0.0) == 1.0


@pytest.mark.parametrize(
    ("start", "values"),
    [
        (0.996, [0.996, 0.996585786, 0.998, 0.999414214, 1.0]),
        (0.99, [0.99, 0.991464466, 0.995, 0.998535534, 1.0]),
    ],
)
def test_the_momentum_has_the_reference_values(start: float, values: list[float]) -> None:
    found = [rising_momentum(quarter / 4, start=start) for quarter in range(5)]
    assert found == pytest.approx(values, abs=1e-9)
