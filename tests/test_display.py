"""What a person sees: plain lines in a file, a live line on a terminal, and no cursor lost."""

import io
import math

import pytest
from rich.console import Console

from selfsight import display
from selfsight.display import Display, look_text

STATE = {
    "step": 1234,
    "progress": 0.25,
    "loss": 4.5678,
    "images_per_second": 987.6,
    "seconds_left": 600.0,
    "look": "",
}
LOOK = {
    "loss_share": 0.31,
    "spread": 0.08,
    "spread_ideal": 0.1,
    "effective_rank": 70.4,
    "knn": 0.4567,
}


@pytest.fixture
def clock(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(display.time, "monotonic", lambda: now[0])
    return now


def shown(terminal: bool) -> tuple[Display, io.StringIO]:
    made, text = Display(), io.StringIO()
    made._console = Console(file=text, force_terminal=terminal, width=200, soft_wrap=True)
    return made, text


def test_a_look_is_told_in_a_few_words() -> None:
    assert look_text(LOOK) == ("  31% of the way  spread 0.80 of ideal  rank 70  kNN 45.7%")
    assert "kNN" not in look_text(LOOK | {"knn": None})
    assert look_text(LOOK | {"loss_share": -0.001}).startswith("  0% of the way")
    assert look_text(LOOK | {"loss_share": math.nan}).startswith("  nan% of the way")


def test_without_a_terminal_there_is_a_plain_line_now_and_then(clock) -> None:
    made, text = shown(terminal=False)
    for _ in range(32):
        made.step(STATE)
        clock[0] += 1
    lines = text.getvalue().splitlines()
    assert len(lines) == 2  # 32 seconds, one line in 15
    assert lines[0] == "training: 25%  step 1,234  988 images/s  loss 4.568  10 min left"


def test_only_long_phases_are_worth_a_plain_line(clock) -> None:
    made, text = shown(terminal=False)
    made.phase("decode", 0, 100)
    clock[0] += 1
    made.phase("decode", 100, 100)
    assert text.getvalue() == ""
    made.phase("decode", 0, 100)
    clock[0] += 30
    made.phase("decode", 50, 100)
    clock[0] += 30
    made.phase("decode", 100, 100)
    assert text.getvalue() == "decode: 50 of 100, 30 s left\ndecode: 100 of 100, in 60 s\n"


def test_on_a_terminal_the_live_line_has_it_all_and_leaves_the_cursor(clock) -> None:
    made, text = shown(terminal=True)
    with pytest.raises(KeyboardInterrupt), made:
        made.step(STATE | {"look": look_text(LOOK)})
        raise KeyboardInterrupt
    for part in ("training", "25%", "988 images/s", "loss 4.568", "31% of the way", "kNN 45.7%"):
        assert part in text.getvalue()
    hidden, back = "\x1b[?25l", "\x1b[?25h"
    assert text.getvalue().rindex(back) > text.getvalue().rindex(hidden)


def test_a_quiet_display_says_nothing(clock, capsys) -> None:
    made = Display(quiet=True)
    made.say("hello")
    made.step(STATE)
    assert capsys.readouterr() == ("", "")
