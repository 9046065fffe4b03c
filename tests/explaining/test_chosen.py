"""Which images are explained, what they are compared with, and what tells them from others."""

import numpy as np
import pytest
import torch
from made_up_images import scenes, untaught

import selfsight
from selfsight.errors import UserError
from selfsight.explaining import material as chosen
from selfsight.explaining.aims import Aim, Others, OtherViews, OwnClass, find_aim
from selfsight.explaining.bank import Bank
from selfsight.explaining.gallery import Question, asked_material
from selfsight.explaining.material import material_of
from selfsight.explaining.pictures import picture_of
from selfsight.explaining.sources import Source

NONE = np.empty(0, dtype=np.int64)


def source(labels: list[int], *, pixels: np.ndarray | None = None) -> Source:
    if pixels is None:
        pixels = np.zeros((len(labels), 3, 4, 4), dtype=np.uint8)
    return Source(
        lambda rows: pixels[rows],
        lambda row: picture_of(pixels[row]),
        np.array(labels),
        tuple("abcdefgh"),
        tuple(f"{row}.png" for row in range(len(labels))),
        "made up",
    )


def bank(labels: list[int]) -> Bank:
    return Bank(lambda rows: np.zeros((len(rows), 3, 4, 4)), np.array(labels), tuple("abcdefgh"))


def test_another_view_of_the_next_image_is_another_target() -> None:
    aim: Aim = OtherViews(torch.zeros(12, 3, 4, 4), bank([-1] * 3), NONE)
    assert aim.strangers().tolist() == [1, 2, 0]
    assert OtherViews(torch.zeros(4, 3, 4, 4), bank([-1]), NONE).strangers().tolist() == [-1]


def test_a_target_of_the_same_neighbour_or_of_the_image_itself_is_no_other_one() -> None:
    def strangers(rows: list[int], members: list[list[int]]) -> list[int]:
        others = tuple(np.array(each) for each in members)
        return Others(np.array(rows), others, bank([-1] * 9), NONE).strangers().tolist()

    assert strangers([0, 1, 2], [[7], [7], [8]]) == [2, 2, 0]  # 0 and 1 have one neighbour
    assert strangers([0, 1], [[1], [0]]) == [-1, -1]  # each is what the other is compared with
    assert strangers([0, 1, 2], [[1, 5], [0, 5], [6, 7]]) == [2, 2, 0]  # 0 and 1: one cluster
    assert strangers([0, 1], [[1, 5], [0, 5]]) == [-1, -1]


def test_another_class_is_another_target() -> None:
    aim = OwnClass(np.array([0, 0, 1]), bank([0, 0, 1]), NONE)
    assert aim.strangers().tolist() == [2, 2, 0]
    assert OwnClass(np.array([0, 0]), bank([0, 0]), NONE).strangers().tolist() == [-1, -1]


def test_with_two_classes_no_map_is_called_the_same_toward_any_target(tmp_path) -> None:
    # one class is the opposite of the other: without signs, the maps would be the same
    pixels, classes, _ = scenes(16, seed=0)
    for row, (image, kind) in enumerate(zip(pixels, classes.tolist(), strict=True)):
        place = tmp_path / "images" / str(kind % 2)
        place.mkdir(parents=True, exist_ok=True)
        np_image = (image * 255).byte().permute(1, 2, 0).numpy()
        _save(np_image, place / f"{row}.png")
    found = selfsight.explain(
        untaught(side=16), tmp_path / "images", toward="label", maps="integrated", count=2,
        out=tmp_path / "out", cache=str(tmp_path / "cache"), quiet=True,
    )  # fmt: skip
    checked = found.encoders[0].checked["integrated"]
    assert np.nanmax(checked.other_target) < -0.9
    assert "toward any target" not in checked.trust.sentence


def _save(pixels: np.ndarray, path: object) -> None:
    from PIL import Image

    Image.fromarray(np.ascontiguousarray(pixels)).save(path)


def test_a_label_that_one_image_has_is_not_explained_and_every_other_one_is_in_the_bank() -> None:
    labels = [0] * 3000 + [1, 1, 2]
    for seed in range(5):
        found = material_of(source(labels), count=4, with_label=True, seed=seed)
        explained, others = (
            found.bank.labels[found.rows],
            np.delete(found.bank.labels, found.rows),
        )
        assert sorted(set(explained.tolist())) == [0, 1]
        assert {0, 2} <= set(others.tolist())
        assert len(found.bank) == chosen.MOST
    one_left = material_of(source(labels), count=3, with_label=True, seed=0)
    others = np.delete(one_left.bank.labels, one_left.rows)
    assert set(others.tolist()) == {0, 1, 2}


def test_a_class_of_which_every_image_is_explained_is_refused_in_one_line() -> None:
    images, rows = torch.zeros(4, 3, 4, 4), np.array([0, 1, 2, 3])
    with pytest.raises(UserError, match=r"images of class b besides .*explain fewer") as refused:
        find_aim(
            "label", images=images, rows=rows, bank=bank([0, 0, 1, 1, 0, 2]),
            features=torch.zeros(6, 2), foil=NONE, seed=0,
        )  # fmt: skip
    assert "\n" not in str(refused.value)


def test_images_in_memory_are_told_apart_by_their_pixels_however_many() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2500, 3, 4, 4), dtype=np.uint8)
    question = Question()
    one = asked_material(source([-1] * 2500, pixels=pixels), question).fingerprint()
    assert one == asked_material(source([-1] * 2500, pixels=pixels.copy()), question).fingerprint()
    other = asked_material(source([-1] * 2500, pixels=pixels[::-1]), question).fingerprint()
    assert one != other


def test_which_classes_are_explained_is_drawn_too() -> None:
    labels = [row % 6 for row in range(60)]
    drawn = set()
    for seed in range(20):
        found = material_of(source(labels), count=2, with_label=False, seed=seed)
        one, other = found.bank.labels[found.rows].tolist()
        assert one != other
        drawn |= {one, other}
    assert drawn == set(range(6))


def test_where_few_images_have_labels_the_others_are_explained_too() -> None:
    labels = [0, 1, *[-1] * 40]
    found = material_of(source(labels), count=8, with_label=False, seed=0)
    assert len(found.rows) == 8
    assert len(material_of(source([*labels, 0, 1]), count=8, with_label=True, seed=0).rows) == 4


def test_nothing_can_be_subtracted_where_every_image_is_explained() -> None:
    with pytest.raises(UserError, match=r"against others needs images besides"):
        asked_material(source([-1] * 3), Question(against="others", count=3))


def test_what_would_have_no_effect_is_refused(tmp_path) -> None:
    for given, said in (
        ({"toward": "label", "against": "others"}, "no effect toward a label"),
        ({"labels": "labels.csv"}, "no effect on arrays"),
    ):
        with pytest.raises(UserError, match=said):
            selfsight.explain(
                untaught(side=16), torch.rand(4, 3, 16, 16), out=tmp_path / "out", quiet=True,
                **given,
            )  # fmt: skip
        assert not (tmp_path / "out").exists()


def test_without_other_images_the_page_subtracts_nothing(tmp_path) -> None:
    pages = []
    for count in (2, 3):
        found = selfsight.explain(
            untaught(side=16), torch.rand(3, 3, 16, 16), count=count, maps="gradcam",
            out=tmp_path / str(count), quiet=True,
        )  # fmt: skip
        pages.append(found.report.read_text())
    assert ["both less the mean similarity" in page for page in pages] == [True, False]
    assert "nothing: there are no other images" in pages[1]
