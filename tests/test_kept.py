"""Work in parts: what is finished is kept, and only for the same plan."""

import json

import numpy as np
import pytest

from selfsight.errors import UserError
from selfsight.kept import Kept


def test_a_part_is_kept_for_the_same_plan_and_gone_when_the_whole_is_written(tmp_path):
    begun = Kept(tmp_path / "out", plan={"seed": 0, "sides": (1, 2)})
    assert not (tmp_path / "out").exists()  # nothing before a part is finished
    assert begun.read("one") is None
    begun.write("one", {"numbers": np.arange(3), "word": np.array("é")})
    again = Kept(tmp_path / "out", plan={"seed": 0, "sides": (1, 2)})
    assert again.names() == {"one"}
    found = again.read("one")
    assert found["numbers"].tolist() == [0, 1, 2] and str(found["word"]) == "é"
    again.clear()
    assert not any((tmp_path / "out").iterdir())


def test_another_plan_and_other_files_are_refused_in_one_line(tmp_path):
    Kept(tmp_path / "out", plan={"seed": 0}).write("one", {})
    with pytest.raises(
        UserError, match="begun with seed 0, not 1; choose another --out"
    ) as refused:
        Kept(tmp_path / "out", plan={"seed": 1})
    assert "\n" not in str(refused.value)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "text").write_text("mine")
    with pytest.raises(UserError, match="other files"):
        Kept(tmp_path / "mine", plan={})
    with pytest.raises(UserError, match="other files"):
        Kept.check_place(tmp_path / "mine")


def test_a_damaged_plan_is_told_in_one_line(tmp_path):
    Kept(tmp_path / "out", plan={}).write("one", {})
    (tmp_path / "out" / "parts" / "plan.json").write_text("{")
    with pytest.raises(UserError, match=r"plan\.json is damaged") as refused:
        Kept(tmp_path / "out", plan={})
    assert "\n" not in str(refused.value)


def test_a_damaged_part_is_made_again(tmp_path):
    begun = Kept(tmp_path / "out", plan={})
    begun.write("one", {"numbers": np.arange(300)})
    file = tmp_path / "out" / "parts" / "one.npz"
    for damaged in (b"", b"PK", file.read_bytes()[:100], file.read_bytes()[:-40]):
        file.write_bytes(damaged)
        assert begun.read("one") is None
    begun.write("one", {"numbers": np.arange(300)})
    whole = file.read_bytes()
    for place in range(0, len(whole), 7):  # a flipped byte
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        found = begun.read("one")
        assert found is None or found["numbers"].tolist() == list(range(300))
    assert json.loads((tmp_path / "out" / "parts" / "plan.json").read_text()) == {}
