"""A fast look at what bench/shortcuts.py measures over a hundred repetitions.

At a true rate of 5 % more than 3 alarms in 10 repetitions come by chance in one of a thousand runs
(binomial). The seeds are fixed, so this either holds or it does not.
"""

import pytest
from benched import bench

FAMILIES = ["nuisance", "stress", "audit", "twin"]


@pytest.mark.parametrize("name", FAMILIES)
def test_clean_data_raises_few_alarms(name: str) -> None:
    repetitions = 3 if name == "nuisance" else 6
    for rate in bench().run(name, range(700, 700 + repetitions), there=False):
        assert rate.times <= 2, rate


@pytest.mark.parametrize("name", FAMILIES)
def test_what_is_there_is_found(name: str) -> None:
    for rate in bench().run(name, range(800, 802), there=True):
        assert rate.times == rate.of, rate


def test_planted_cues_are_found_and_no_others() -> None:
    (clean,) = [bench().planted(900, there=False)]
    assert not any(clean.values())
    found = bench().planted(901, there=True)
    assert all(alarm for name, alarm in found.items() if name.startswith("presence"))
