"""An assessment: the same labels for every arm, nothing chosen on the test part, resumed."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from folders import NAMES, write_encoder, write_images

import selfsight
from selfsight.assessment import assess as module
from selfsight.assessment.printing import lines_of
from selfsight.cli import main
from selfsight.errors import Interrupted, UserError
from selfsight.evaluation.repeats import Repeats

ARMS = {
    ("encoder", "knn"),
    ("encoder", "linear"),
    ("encoder", "finetune"),
    ("scratch", "scratch"),
    ("untrained", "knn"),
    ("untrained", "linear"),
    ("pixels", "knn"),
    ("pixels", "linear"),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("assess")
    write_images(folder / "train", (10, 6, 1), seed=0)
    write_images(folder / "test", (9, 9, 9), seed=1)
    write_encoder(folder / "encoder.safetensors", seed=0)
    return folder


def assess(place: Path, out: str, **changes: Any) -> dict[str, Any]:
    arguments = {
        "train": place / "train",
        "test": place / "test",
        "out": place / out,
        "labels_per_class": "1,4,all",
        "seeds": 2,
        "effort": 0.02,
        "cache": place / "cache",
        "threads": 1,
        "precision": "fp32",
        "quiet": True,
    }
    return selfsight.assess(place / "encoder.safetensors", **(arguments | changes))


@pytest.fixture(scope="module")
def whole(place) -> dict[str, Any]:
    state = torch.get_rng_state()
    found = assess(place, "whole")
    assert torch.equal(torch.get_rng_state(), state)
    return found


def rows_of(evidence: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["arm"], row["protocol"]): row for row in evidence["tasks"][0]["rows"]}


def test_every_arm_is_measured_by_every_protocol_with_every_amount(whole):
    task = whole["tasks"][0]
    assert set(rows_of(whole)) == ARMS
    assert [amount["labels"] for amount in task["amounts"]] == [3, 9, 17]
    for row in task["rows"]:
        assert [len(point["by_seed"]) for point in row["points"]] == [2, 2, 2]
        for point in row["points"]:
            assert 0 <= point["low"] <= point["mean"] <= point["high"] <= 1
            assert point["mean"] == pytest.approx(np.mean(point["by_seed"]))


def test_the_labelled_images_are_listed_as_a_table_of_labels(place, whole):
    tables = sorted(path.name for path in (place / "whole" / "subsets").iterdir())
    assert len(tables) == 6
    with (place / "whole" / "subsets" / "main-4-per-class-seed-1.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [sum(row["label"] == name for row in rows) for name in NAMES] == [4, 4, 1]
    assert all((place / "train" / row["path"]).is_file() for row in rows)


def test_fewer_labels_are_among_more_and_another_seed_draws_others(place, whole):
    def listed(amount: str, seed: int) -> set[str]:
        text = (place / "whole" / "subsets" / f"main-{amount}-seed-{seed}.csv").read_text()
        return set(text.splitlines())

    assert listed("1-per-class", 0) < listed("4-per-class", 0) < listed("all", 0)
    assert listed("4-per-class", 0) != listed("4-per-class", 1)
    assert listed("all", 0) == listed("all", 1)


def test_the_lists_give_the_same_numbers_again(place, whole):
    table = place / "whole" / "subsets" / "main-4-per-class-seed-0.csv"
    with (place / "test.csv").open("w") as file:
        file.write("path,label\n")
        for path in sorted((place / "test").rglob("*.png")):
            file.write(f"{path},{path.parent.name}\n")
    # One table for both parts: what it does not name has no label.
    with (place / "both.csv").open("w") as file:
        file.write("path,label\n")
        for row in csv.DictReader(table.read_text().splitlines()):
            file.write(f"{place / 'train' / row['path']},{row['label']}\n")
        file.write((place / "test.csv").read_text().partition("\n")[2])
    quick = selfsight.evaluate(
        place / "encoder.safetensors",
        train=place / "train",
        test=place / "test",
        labels=place / "both.csv",
        cache=place / "cache",
        quiet=True,
    )
    expected = rows_of(whole)[("encoder", "linear")]["points"][1]["by_seed"][0]
    assert quick.row("encoder").linear.accuracy.value == pytest.approx(expected)


def test_a_list_and_class_folders_to_test_on_give_the_same_numbers_again(place, whole):
    table = place / "whole" / "subsets" / "main-4-per-class-seed-0.csv"
    found = assess(
        place, "listed", labels=table, test_labels="auto", labels_per_class="all", seeds=1,
        protocols="linear", against="pixels",
    )  # fmt: skip
    expected = rows_of(whole)[("encoder", "linear")]["points"][1]["by_seed"][0]
    assert rows_of(found)[("encoder", "linear")]["points"][0]["by_seed"] == [expected]
    with pytest.raises(UserError, match=r"which is an image of .*train and one of .*test") as told:
        assess(place, "unclear", labels=table, labels_per_class="all", seeds=1)
    assert "--test-labels" in str(told.value) and "\n" not in str(told.value)
    assert not (place / "unclear").exists()


def test_a_folder_for_every_image_is_a_class_where_labels_are_asked_for(place):
    lonely = place / "lonely"
    for name in NAMES:
        (lonely / name).mkdir(parents=True)
        shutil.copy(place / "train" / name / "00.png", lonely / name)
    found = assess(
        place, "one-each", train=lonely, labels_per_class="all", seeds=1, protocols="knn",
        against="pixels",
    )  # fmt: skip
    assert [amount["labels"] for amount in found["tasks"][0]["amounts"]] == [3]


def test_nothing_is_written_among_the_images(place):
    with pytest.raises(UserError, match="lies in the image folder"):
        assess(place, "train/across/e")


def test_other_pixels_under_the_same_names_are_not_mixed_in(place, whole):
    shutil.copytree(place / "train", place / "changed")
    asked = {"train": place / "changed", "labels_per_class": "1", "seeds": 1, "protocols": "knn"}
    assess(place, "pixels", against="pixels", **asked)
    shutil.copy(place / "test" / "across" / "00.png", place / "changed" / "across" / "00.png")
    with pytest.raises(UserError, match="begun with images"):
        assess(place, "pixels", against="pixels", **asked)


def test_test_images_that_were_trained_on_do_not_carry_the_sentence_alone(place, monkeypatch):
    copied = place / "copied"
    shutil.copytree(place / "test", copied)
    found = assess(
        place, "copies", train=place / "test", test=copied, labels_per_class="all", seeds=1,
        protocols="knn", against="pixels",
    )  # fmt: skip
    assert found["tasks"][0]["repeats"]["repeats"] == 27  # all of them: nothing is left to say
    assert "Without the" not in found["sentence"]
    sentences = iter(["Pretraining helped: so.", "Pretraining did not help: not so."])
    monkeypatch.setattr("selfsight.assessment.summary.closing", lambda *_, **__: next(sentences))
    monkeypatch.setattr(module, "find_repeats", _one_repeat)
    found = assess(
        place, "one-copy", labels_per_class="all", seeds=1, protocols="knn", against="pixels"
    )
    assert found["sentence"] == (
        "Pretraining helped: so. Without the test image that has a near copy among the training "
        "images: pretraining did not help: not so."
    )


def _one_repeat(train: Any, test: Any, *, progress: Any) -> Repeats:
    return Repeats(len(test), np.array([3]), np.array([0]), np.array([1.0], np.float32))


def test_other_test_labels_change_no_setting_that_was_chosen(place, whole):
    shutil.copytree(place / "test", place / "turned")
    for name, other in zip(NAMES, (*NAMES[1:], NAMES[0]), strict=True):
        (place / "turned" / name).rename(place / "turned" / f"_{other}")
    for name in NAMES:
        (place / "turned" / f"_{name}").rename(place / "turned" / name)
    found = assess(place, "other", test=place / "turned", labels_per_class="4", seeds=1)
    same, changed = rows_of(whole), rows_of(found)
    for way in ARMS:
        assert changed[way]["points"][0]["settings"][0] == same[way]["points"][1]["settings"][0]
    assert any(
        changed[way]["points"][0]["mean"] != same[way]["points"][1]["by_seed"][0] for way in ARMS
    )


def test_a_stopped_assessment_goes_on_and_ends_as_one_that_was_not(place, whole, monkeypatch):
    measured, calls = module._measure, []
    asked = {"labels_per_class": "1", "protocols": "linear,finetune", "against": "scratch"}

    def stops(*words: Any) -> None:
        calls.append(words)
        if len(calls) == 4:
            raise KeyboardInterrupt
        measured(*words)

    monkeypatch.setattr(module, "_measure", stops)
    with pytest.raises(Interrupted, match="3 of 6 measurements"):
        assess(place, "stopped", **asked)
    with (place / "stopped" / "records.jsonl").open("a") as file:
        file.write('{"task": "main", "arm": "enc')  # a line torn by kill -9
    found = assess(place, "stopped", **asked)
    assert len(calls) == 4 + 3
    for way, row in rows_of(found).items():
        assert row["points"][0]["by_seed"] == rows_of(whole)[way]["points"][0]["by_seed"]
        assert row["points"][0]["settings"] == rows_of(whole)[way]["points"][0]["settings"]


def test_a_stopped_assessment_has_a_page_of_the_amounts_that_are_finished(
    place, whole, monkeypatch
):
    shutil.copytree(place / "whole", place / "partly")
    lines = (place / "whole" / "records.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    trained = ("knn", "linear", "finetune", "scratch")
    kept = [r for r in records if r["amount"] == "1 per class" or r["protocol"] not in trained]
    kept += [r for r in records if r["amount"] == "4 per class"][:-1]
    text = "".join(json.dumps(record) + "\n" for record in kept)
    (place / "partly" / "records.jsonl").write_text(text)
    for name in ("report.html", "evidence.json"):
        (place / "partly" / name).unlink()
    measured = module._measure

    def stops(assessment: Any, cell: Any, bench: Any) -> None:
        if cell.amount.name == "all":
            raise KeyboardInterrupt
        measured(assessment, cell, bench)

    monkeypatch.setattr(module, "_measure", stops)
    with pytest.raises(Interrupted, match=r"report.html shows the amounts that are finished, and"):
        assess(place, "partly")
    found = json.loads((place / "partly" / "evidence.json").read_text())
    assert found["unfinished"] == ["all"] and whole["unfinished"] == []
    assert [amount["labels"] for amount in found["tasks"][0]["amounts"]] == [3, 9]
    for way, row in rows_of(found).items():
        assert [point["by_seed"] for point in row["points"]] == [
            point["by_seed"] for point in rows_of(whole)[way]["points"][:2]
        ]
    assert "not measured yet: all" in lines_of(found)
    assert "Not finished" in (place / "partly" / "report.html").read_text()
    assert "Not finished" not in (place / "whole" / "report.html").read_text()


def timeless(evidence: dict[str, Any]) -> dict[str, Any]:
    for task in evidence["tasks"]:
        for row in task["rows"]:
            for point in row["points"]:
                point["seconds"] = []
    return evidence


def test_another_question_or_other_images_are_not_mixed_in(place, whole):
    with pytest.raises(UserError, match="begun with seeds"):
        assess(place, "whole", seeds=3)
    extra = place / "train" / "across" / "new.png"
    shutil.copy(place / "test" / "across" / "00.png", extra)
    try:
        with pytest.raises(UserError, match="begun with images"):
            assess(place, "whole")
    finally:
        extra.unlink()
    with pytest.raises(UserError, match="other files"):
        assess(place, "train")


def test_features_are_computed_once(place, whole, monkeypatch):
    def fail(*_: Any, **__: Any) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr("selfsight.assessment.measuring.embed", fail)
    (place / "again").mkdir()
    for name in ("plan.json", "features", "predictions"):
        copy = shutil.copytree if (place / "whole" / name).is_dir() else shutil.copy
        copy(place / "whole" / name, place / "again" / name)
    (place / "again" / "subsets").mkdir()
    frozen = "knn,linear"
    lines = (place / "whole" / "records.jsonl").read_text().splitlines()
    kept = [line for line in lines if json.loads(line)["protocol"] not in frozen.split(",")]
    (place / "again" / "records.jsonl").write_text("\n".join(kept) + "\n")
    found = assess(place, "again")
    assert timeless(found) == timeless(whole)


def test_the_page_and_the_lines_say_everything(place, whole):
    page = (place / "whole" / "report.html").read_text("utf-8")
    lines = "\n".join(lines_of(whole))
    for text in (page, lines):
        for part in ("training from scratch", "encoder, linear probe"):
            assert part in text
        ways = ("not within this data", "at about", "from the fewest labels")
        assert any(way in text for way in ways)
        assert whole["sentence"].split(": ", 1)[1][1:] in text
        assert "near copy" in text or "None of the 27 test images" in text
    for part in ("AdamW", "Hungarian", "L-BFGS", "exp(cosine / temperature)", "Student"):
        assert part in page
    assert "http" not in page.replace("http-equiv", "").replace("http://www.w3.org", "")
    assert "balanced accuracy" in lines


def test_few_labels_by_table_of_a_few_images_are_enough(place):
    rows = [f"{place}/train/{name}/00.png,{name}" for name in NAMES[:2]]
    rows += [f"{place}/test/{name}/0{number}.png,{name}" for name in NAMES[:2] for number in (1, 2)]
    (place / "few.csv").write_text("path,label\n" + "\n".join(rows) + "\n")
    found = assess(place, "few", labels=place / "few.csv", seeds=1)
    task = found["tasks"][0]
    assert [amount["labels"] for amount in task["amounts"]] == [2]  # more cannot be drawn
    assert task["test_images"] == 4
    assert "One seed only" in found["sentence"]
    for row in task["rows"]:
        if row["protocol"] in ("finetune", "scratch"):
            assert row["points"][0]["settings"][0]["held_back"] == 0


def test_a_second_encoder_and_a_transfer_are_measured_too_with_the_same_labels(place, monkeypatch):
    answers, drawn = module.answers, dict[tuple[Any, ...], set[bytes]]()

    def watched(cell: Any, arm: Any, images: Any, rows: Any, **rest: Any) -> Any:
        drawn.setdefault((cell.task, cell.amount, cell.seed), set()).add(rows.tobytes())
        return answers(cell, arm, images, rows, **rest)

    monkeypatch.setattr(module, "answers", watched)
    write_encoder(place / "second.safetensors", seed=5)
    found = assess(
        place,
        "both",
        against=f"pixels,{place / 'second.safetensors'}",
        protocols="knn",
        transfer=(str(place / "test"), str(place / "train")),
        labels_per_class=None,
        fractions="0.5,1",
    )
    assert [task["name"] for task in found["tasks"]] == ["main", "transfer"]
    assert set(rows_of(found)) == {("encoder", "knn"), ("pixels", "knn"), ("second", "knn")}
    assert [amount["name"] for amount in found["tasks"][0]["amounts"]] == ["50 %", "all"]
    assert found["tasks"][1]["test_images"] == 17
    assert len(drawn) == 2 * 2 * 2  # tasks, amounts, seeds
    assert all(len(rows) == 1 for rows in drawn.values())  # one set of labels for all three arms


def test_the_command_line_says_what_is_wrong_and_prints_the_table(place, whole, capsys):
    def call(*words: str) -> tuple[int, str, str]:
        plain = [str(place / "encoder.safetensors"), "--train", str(place / "train")]
        code = main(["evaluate", *plain, "--test", str(place / "test"), *words])
        return code, *capsys.readouterr()

    code, _, said = call("--labels-per-class", "1")
    assert (code, "give --out" in said) == (2, True)
    code, _, said = call("--seeds", "5")
    assert (code, "--seeds belongs to the whole comparison" in said) == (2, True)
    code, _, said = call("--out", str(place / "new"), "--json", "x.json")
    assert (code, "no effect" in said) == (2, True)
    code, _, said = call("--out", str(place / "new"), "--against", "timm:resnet18")
    assert (code, "nothing is downloaded" in said) == (2, True)
    assert not (place / "new").exists()
    options = "--labels-per-class 1,4,all --seeds 2 --effort 0.02 --threads 1 --precision fp32"
    cache = ("--cache", str(place / "cache"))
    code, printed, _ = call("--out", str(place / "whole"), *options.split(), *cache)
    assert code == 0
    assert whole["sentence"] in printed
    assert str(place / "whole" / "report.html") in printed
