"""The images of a run and of an evaluation: classes by name, and what cannot be compared."""

import numpy as np
import pytest

from selfsight.data.images import ImageSet, Labels
from selfsight.errors import UserError
from selfsight.material import same_classes


def named(root: str, *names: str) -> ImageSet:
    index = np.arange(len(names))
    pixels = np.zeros((len(names), 3, 8, 8), np.uint8)
    return ImageSet(pixels, tuple(f"{name}/1" for name in names), Labels(names, index), (), root)


def test_a_class_has_one_number_in_both_parts() -> None:
    one, other = same_classes(named("a", "cat", "dog"), named("b", "ant", "dog"))
    assert one.labels.names == other.labels.names == ("cat", "dog", "ant")
    assert (one.labels.index.tolist(), other.labels.index.tolist()) == ([0, 1], [2, 1])


def test_a_class_without_an_image_in_the_first_part_comes_after_those_that_have_one() -> None:
    some = named("a", "ant", "bee", "cat").part(np.array([2, 1]))
    one, other = same_classes(some, named("b", "ant", "cat"))
    assert one.labels.names == other.labels.names == ("bee", "cat", "ant")
    assert (one.labels.index.tolist(), other.labels.index.tolist()) == ([1, 0], [2, 1])


def test_parts_without_a_common_class_are_refused_in_one_line() -> None:
    with pytest.raises(UserError, match="a and b have no class in common: 'Cat' and 'cat', say"):
        same_classes(named("a", "Cat", "Dog"), named("b", "cat", "dog"))
    same_classes(named("a", "Cat"), named("b"))  # without labels there is nothing to compare
