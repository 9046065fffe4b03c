"""Labels come from folders or from a table, and what is wrong with a table is told."""

from pathlib import Path

import numpy as np
import pytest

from selfsight.data.labels import Labels, in_both, read_labels
from selfsight.errors import UserError


def words(labels: Labels) -> list[str]:
    return [labels.names[number] if number >= 0 else "" for number in labels.index]


def by_folder(*paths: str) -> Labels:
    return read_labels("auto", paths, root="/images")


def test_folders_are_classes() -> None:
    labels = by_folder(
        "cat/1.jpg", "cat/2.jpg", "dog/1.jpg", "dog/big/1.jpg", "dog/big/2.jpg", "dog/3.jpg"
    )
    assert labels.names == ("cat", "dog", "dog/big")
    assert labels.index.dtype == np.int64
    assert words(labels) == ["cat", "cat", "dog", "dog/big", "dog/big", "dog"]


def test_names_of_splits_are_left_off() -> None:
    labels = by_folder("Train/cat/1.jpg", "Train/dog/2.jpg", "test/cat/1.jpg", "test/dog/9.jpg")
    assert words(labels) == ["cat", "dog", "cat", "dog"]


@pytest.mark.parametrize(
    "paths",
    [
        ("1.jpg", "2.jpg"),
        ("cat/1.jpg", "cat/2.jpg"),
        ("1.jpg", "cat/1.jpg", "dog/1.jpg", "dog/2.jpg", "cat/3.jpg", "dog/4.jpg"),
        ("train/1.jpg", "train/2.jpg", "test/1.jpg", "test/2.jpg"),
        ("a/1.jpg", "b/1.jpg", "c/1.jpg"),
    ],
)
def test_folders_that_tell_nothing_give_no_labels(paths: tuple[str, ...]) -> None:
    labels = by_folder(*paths)
    assert labels.names == ()
    assert (labels.index == -1).all()


def test_where_labels_are_asked_for_every_folder_is_a_class() -> None:
    paths = ["train/a/1.jpg", "train/b/1.jpg", "train/c/1.jpg"]
    assert words(read_labels("folders", paths, root="/images")) == ["a", "b", "c"]
    assert words(read_labels("folders", ["1.jpg", "a/2.jpg"], root="/images")) == ["", "a"]


def test_a_path_that_a_table_means_in_both_parts_is_found(tmp_path: Path) -> None:
    rows = table(tmp_path, "path,label\n./a/1.jpg,a\nb/2.jpg,b\n")
    assert in_both(Path(rows), ["a/1.jpg"], ["a/1.jpg", "b/2.jpg"]) == "a/1.jpg"
    assert in_both(Path(rows), ["a/1.jpg"], ["b/2.jpg"]) is None


def test_none_means_no_labels() -> None:
    assert read_labels("none", ["a/1.jpg", "b/1.jpg"], root="/").names == ()


def table(folder: Path, text: str) -> str:
    (folder / "labels.csv").write_text(text)
    return str(folder / "labels.csv")


def test_a_table_labels_some_of_the_images(tmp_path: Path) -> None:
    root = tmp_path / "images"
    relative = "3,images/d.jpg,cat\n4,gone.jpg,cow\n5,e.jpg,\n"
    text = f"id,path,label\n1,a.jpg,cat\n2,{root}/b/c.jpg,dog\n{relative}"
    paths = ["a.jpg", "b/c.jpg", "d.jpg", "e.jpg"]
    labels = read_labels(table(tmp_path, text), paths, root=str(root))
    assert labels.names == ("cat", "dog")
    assert words(labels) == ["cat", "dog", "cat", ""]


def test_a_table_from_a_spreadsheet_with_odd_names_is_read(tmp_path: Path) -> None:
    source = table(tmp_path, '\ufeffpath,label\r\n"a,b.jpg","x ""y"""\r\n"new\nline.jpg",z\r\n')
    labels = read_labels(source, ["a,b.jpg", "new\nline.jpg"], root=str(tmp_path))
    assert words(labels) == ['x "y"', "z"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "path,label\na.jpg,cat\na.jpg,cat\n./a.jpg,dog\n",
            "line 4 of .* labels '\\./a.jpg' 'dog'",
        ),
        ("path,label\nx.jpg,cat\ny.jpg,cat\n", "none of the 2 labelled paths"),
        ("file,label\na.jpg,cat\n", "no column 'path'"),
        ("path;label\na.jpg;cat\n", "no column 'path'"),
        ("", "no column 'path'"),
        ("path,label\na.jpg,\n", "holds no labels"),
    ],
)
def test_a_table_that_cannot_be_meant_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        read_labels(table(tmp_path, text), ["a.jpg"], root=str(tmp_path))
    assert "\n" not in str(caught.value)


def test_a_missing_table_is_told(tmp_path: Path) -> None:
    for source in (str(tmp_path / "no.csv"), "autos", str(tmp_path)):
        with pytest.raises(UserError, match="give auto, none or a csv file"):
            read_labels(source, ["a.jpg"], root=str(tmp_path))
