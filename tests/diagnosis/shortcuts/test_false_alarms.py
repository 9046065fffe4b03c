"""A fast look at what bench/shortcuts.py measures over a hundred repetitions.

At a true rate of 5 % two alarms in four repetitions come by chance once in seventy times
(binomial), three once in two thousand; two wrong answers in nine come once in fourteen times. The
seeds are fixed, so this either holds or it does not.
"""

import pytest
from benched import bench

REPETITIONS = {"identity": 1, "nuisance": 2, "stress": 4, "audit": 4, "twin": 2}


@pytest.mark.parametrize("name", REPETITIONS)
def test_clean_data_raises_few_alarms(name: str) -> None:
    for rate in bench().run(name, range(700, 700 + REPETITIONS[name]), there=False):
        assert rate.times <= 1, rate


@pytest.mark.parametrize("name", REPETITIONS)
def test_what_is_there_is_found(name: str) -> None:
    for rate in bench().run(name, range(800, 801), there=True):
        assert rate.times == rate.of, rate


@pytest.mark.parametrize("there", [False, True])
def test_planted_cues_raise_an_alarm_where_there_are_any(there: bool) -> None:
    found = bench().planted(900, there=there, names=("tint", "border", "sensor noise"))
    assert len(found) == 6
    wrong = [question for question, alarm in found.items() if alarm is not there]
    assert len(wrong) <= 1, wrong
