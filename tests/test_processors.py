"""As many threads as there are cores that nobody else uses."""

import pytest

from selfsight import processors


@pytest.mark.parametrize(
    ("idle_share", "processes", "threads"),
    [(1.0, 1, 8), (0.5, 1, 4), (0.0, 1, 1), (1.0, 4, 2), (0.25, 4, 1)],
)
def test_idle_cores_are_counted_and_shared(monkeypatch, idle_share, processes, threads) -> None:
    looks = iter([(100, 1000), (100 + round(800 * idle_share), 1800)])
    monkeypatch.setattr(processors, "_ticks", lambda: next(looks))
    monkeypatch.setattr(processors, "SAMPLE", 0.0)
    monkeypatch.setattr(processors.os, "sched_getaffinity", lambda _: range(8), raising=False)
    monkeypatch.setattr(processors.os, "cpu_count", lambda: 8)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", str(processes))
    assert processors.free_cores() == threads


def test_where_nothing_tells_all_cores_count(monkeypatch) -> None:
    def absent() -> tuple[int, int]:
        raise FileNotFoundError

    monkeypatch.setattr(processors, "_ticks", absent)
    monkeypatch.setattr(processors.os, "sched_getaffinity", lambda _: range(6), raising=False)
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    assert processors.free_cores() == 6
