"""The report as a whole: whole runs, hostile names, and runs of which half is missing."""

import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from made_up_runs import clusters, evidence, whole_run, write_held_out

from selfsight.errors import UserError
from selfsight.reporting.page import in_script, write_report

VOID = {"meta", "link", "img", "br", "input", "hr"}
SELF_CLOSED = {"line", "path", "circle"}
SECTIONS = ["evidence", "curves", "views", "neighbours", "map", "use", "settings", "skipped"]


@pytest.fixture(autouse=True)
def no_pacmap(monkeypatch):
    monkeypatch.setitem(sys.modules, "pacmap", None)  # slow to import, and tested elsewhere


@pytest.fixture
def run(tmp_path):
    return whole_run(tmp_path / "run")


class Page(HTMLParser):
    """Checks that elements are closed in order and gathers what a test asks for."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.resources: list[str] = []
        self.handlers: list[str] = []
        self.ids: list[str] = []
        self.text: list[str] = []
        self.data = ""
        self.source = text
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "srcset", "data", "action", "poster", "xlink:href"):
                self.resources.append(value)
            if name.startswith("on"):
                self.handlers.append(name)
            if name == "id":
                self.ids.append(value)

    def handle_startendtag(self, tag, attrs):
        assert tag in SELF_CLOSED
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "script" and data.startswith('{"places"'):
            self.data = data
        elif self.open and self.open[-1] not in ("script", "style"):
            self.text.append(data)

    @property
    def words(self) -> str:
        return re.sub(r"[ \n]+", " ", " ".join(self.text))


def page_of(run: Path) -> Page:
    return Page(write_report(run).read_text(encoding="utf-8"))


def test_a_whole_run_gives_a_whole_page(run):
    target = write_report(run)
    page = Page(target.read_text(encoding="utf-8"))
    assert target == run / "report.html"
    assert [name for name in page.ids if name in SECTIONS] == SECTIONS
    assert "simclr on pets" in page.words
    assert "It reads 74.4% of them." in page.words
    assert "method settings › temperature 0.2" in page.words
    assert "1 h 12 min" in page.words.replace("\u202f", " ")
    assert page.tags.count("img") == 2 * 3 + 8 * 8 + 1
    assert not list(run.glob("*.part"))


def test_nothing_is_fetched_from_anywhere(run):
    page = page_of(run)
    assert page.resources
    assert all(resource.startswith("data:") for resource in page.resources)
    assert "://" not in page.source
    assert "@import" not in page.source
    assert page.handlers == []
    assert "default-src 'none'" in page.source


def test_the_numbers_shown_are_those_of_the_evidence(run):
    words = page_of(run).words
    for row in evidence()["rows"]:
        for measure in ("knn", "linear"):
            cell = row[measure]
            assert f"{100 * cell['accuracy']:.1f}\u202f%" in words
            assert f"{100 * cell['low']:.1f} – {100 * cell['high']:.1f}" in words
    assert "Fitted on 45,000 images, read on 5,000 others, in 3 classes." in words
    assert "commonest class would be right for 33.3\u202f%" in words
    assert "k 20" in words.replace("knn › ", "")


def test_names_that_are_markup_stay_names(run):
    page = page_of(run)
    assert "<b>html" not in page.source
    assert "</script><b>" not in page.source
    assert "<i>a</i>" not in page.source
    assert page.tags.count("script") == 2
    data = json.loads(page.data)
    assert data["names"][1] == "</script><b>dog</b>"
    assert data["paths"][:4] == [
        "<b>html</b>.jpg", "line\\nbreak.jpg", "stray\\xff.jpg", "turn\\u202egpj.exe"
    ]  # fmt: skip
    assert "\u202e" not in page.source
    page.source.encode("utf-8")


def test_json_in_a_script_cannot_end_it():
    text = in_script({"name": "</script><!--", "stray": "\udcff"})
    assert not set("<>&") & set(text)
    assert json.loads(text) == {"name": "</script><!--", "stray": "\udcff"}


def test_an_empty_directory_gives_a_page_that_says_so(tmp_path):
    words = page_of(tmp_path).words
    assert "This run has no records" in words
    assert "the run holds no evidence" in words
    assert "no neighbours and no map" in words
    assert "There is no encoder file" in words


@pytest.mark.parametrize(
    "name",
    ["settings.toml", "records.jsonl", "skipped.tsv", "evidence.json", "encoder.safetensors",
     "figures/views.npz", "figures/held_out.npz"],
)  # fmt: skip
@pytest.mark.parametrize("content", [None, b"", b"\xff\x00{[ nonsense", b"[1, 2]", b"{}"])
def test_a_missing_or_broken_file_does_not_stop_the_report(run, name, content):
    if content is None:
        (run / name).unlink()
    else:
        (run / name).write_bytes(content)
    page_of(run)


def test_a_broken_file_is_named(run):
    (run / "evidence.json").write_text("{ torn")
    assert "A file could not be read: evidence.json" in page_of(run).words


def test_a_run_that_has_not_ended_says_how_far_it_came(run):
    (run / "evidence.json").unlink()
    lines = (run / "records.jsonl").read_text().splitlines()[:42]
    (run / "records.jsonl").write_text("\n".join([*lines, '{"kind": "st']))
    words = page_of(run).words
    assert "stop at 50\u202f% of the training (step 40)" in words
    assert "--resume" in words


def test_without_labels_quality_was_not_measured(run):
    content = evidence() | {"rows": [], "classes": []}
    content["verdict"] = {
        "word": "unmeasured",
        "sentence": "Unmeasured: there are no labels of two or more classes.",
    }
    (run / "evidence.json").write_text(json.dumps(content))
    labels = np.full(40, -1)
    write_held_out(run, labels=labels, features=clusters(np.arange(40) % 3))
    page = page_of(run)
    assert "There are no labels of two or more classes." in page.words
    assert "legend" not in page.source.split("<main>")[1].split("<script>")[0]
    assert "✓" not in page.words
    assert json.loads(page.data)["names"] == ["no label"]


def test_a_diverged_run_is_not_said_to_lack_labels(run):
    (run / "figures" / "held_out.npz").unlink()
    verdict = {"word": "diverged", "sentence": "Diverged: lower the rate (--lr)."}
    (run / "evidence.json").write_text(json.dumps({"verdict": verdict}))
    page = page_of(run)
    assert "Lower the rate ( --lr )." in page.words
    assert "labels" not in page.words
    assert "<code class='option'>--lr</code>" in page.source
    assert {"neighbours", "map"}.isdisjoint(page.ids)


@pytest.mark.parametrize(
    ("word", "sentence", "shown"),
    [
        (
            "barely",
            "Barely above an untrained encoder, if at all: 8%.",
            "barely above untrained 8%.",
        ),
        ("worse", "Worse than an untrained encoder: 8%.", "worse than untrained 8%."),
        ("collapsed", "Collapsed. Complete collapse: a point.", "collapsed Complete collapse: a"),
        ("learned", "Learned: it reads 5.1%.", "learned It reads 5.1%."),
        ("learned", "Learnedly: it reads.", "learned Learnedly: it reads."),
    ],
)
def test_the_verdict_does_not_say_its_word_twice(run, word, sentence, shown):
    content = evidence() | {"verdict": {"word": word, "sentence": sentence}}
    (run / "evidence.json").write_text(json.dumps(content))
    assert shown in page_of(run).words


def test_a_loss_that_is_no_number_is_told_of(run):
    text = (run / "records.jsonl").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    for line in lines[30:]:
        line["loss"] = None
    (run / "records.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert "stopped being a number at step 30" in page_of(run).words


@pytest.mark.parametrize(
    ("features", "reason"),
    [
        (np.ones((20, 8)), "nearly the same"),
        (np.zeros((20, 8)), "nearly the same"),
        (np.full((20, 8), np.nan), "not finite"),
        (np.ones((1, 8)), "one image alone"),
    ],
)
def test_features_without_a_map_give_the_reason(run, features, reason):
    write_held_out(run, labels=np.zeros(len(features)), features=features)
    page = page_of(run)
    assert f"No map is drawn: {reason}" in page.words or reason in page.words
    assert page.data == ""


@pytest.mark.parametrize("images", [2, 3])
def test_a_few_images_have_a_map(run, images):
    labels = np.arange(images) % 3
    write_held_out(run, labels=labels, features=clusters(labels))
    assert len(json.loads(page_of(run).data)["places"]) == images


def test_of_many_skipped_files_the_first_are_listed_and_all_counted(run):
    lines = [f"{number}.png\tcut short\n" for number in range(1234)]
    (run / "skipped.tsv").write_text("file\treason\n" + "".join(lines))
    page = page_of(run)
    assert "1,234 files could not be used" in page.words
    assert page.source.count("<td>cut short</td>") == 1 + 200


def test_the_report_is_the_same_every_time(run):
    assert write_report(run).read_bytes() == write_report(run).read_bytes()


def test_a_place_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(UserError, match="not a run directory"):
        write_report(tmp_path / "absent")


def test_a_thousand_thumbnails_fit_in_two_megabytes(tmp_path):
    target = write_report(whole_run(tmp_path / "run", images=1000))
    assert target.stat().st_size < 2_000_000
