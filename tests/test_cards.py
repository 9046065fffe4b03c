"""The pages of `selfsight methods`: complete, and plain about where public codes disagree."""

import pytest

from selfsight import methods
from selfsight.cards import card_lines, list_lines

DISAGREEMENTS = [  # method, what its page must say
    ("simclr", "Google's code prints twice that"),
    ("simclr", "The denominator has the 2B - 1 other vectors"),
    ("simclr", "Weight decay 1e-4"),
    ("simclr", "Batch norm after the head's hidden layer alone"),
    ("simclr", "No blur up to 64 px"),
    ("simclr", "Brightness is multiplicative"),
    ("moco", "keys join the queue after both losses"),
    ("moco", "the loss is the mean"),
    ("moco", "a batch that crosses its end goes on at its start"),
    ("moco", "averages weights and keeps batch norm statistics of its own"),
    ("moco", "moves after the step, not before the next"),
    ("moco_v3", "never a vector of the same view"),
    ("nnclr", "Negatives are predictions for the other view only"),
    ("nnclr", "nothing needs labels"),
    ("byol", "The sum of 2 - 2 cos over both directions"),
    ("byol", "The target starts as a copy of the network"),
    ("byol", "The last layers have no bias"),
    *((name, "one batch for batch norm") for name in ("simclr", "swav", "dino", "emp_ssl")),
    *((name, "Each view is one pass") for name in ("byol", "simsiam", "moco_v3", "nnclr")),
    *((name, "Each view is one pass") for name in ("barlow_twins", "vicreg")),
    *((name, "No blur up to 64 px") for name in ("moco", "moco_v3", "nnclr", "simsiam")),
    ("swav", "0.14"),
    ("dino", "the mean over pairs of views"),
    ("dino", "keeps batch norm statistics of its own"),
    ("mae", "second momentum"),
    ("moco", "Biases and norms are not decayed"),
    ("simsiam", "Biases and norms are not decayed"),
    ("simsiam", "last batch norm has no weights of its own"),
    ("simsiam", "A projector of 2 layers, as in the paper for CIFAR"),
    ("barlow_twins", "biased variance with epsilon 1e-5"),
    ("barlow_twins", "Off-diagonal weight 0.0051"),
    ("barlow_twins", "the authors' gradient is smaller by their number"),
    ("vicreg", "the variance term the mean of both views"),
    ("vicreg", "the invariance is a mean over dimensions too"),
    ("vicreg", "their code's unequal pair"),
    ("swav", "Prototypes have no bias"),
    ("swav", "normalised where they are used, with a gradient"),
    ("swav", "used when it is full"),
    ("swav", "Biases and norms are not decayed"),
    ("dino", "The centre moves after the loss"),
    ("dino", "teacher_temperature stays at 0.04"),
    ("dino", "small ones too"),
    ("dino", "Gradients are shortened tensor by tensor"),
    ("emp_ssl", "enters with a minus"),
    ("emp_ssl", "epsilon is the code's 0.2"),
    ("emp_ssl", "means over 128 crops and not comparable"),
    ("rotation", "The order is crop, flip, rotate"),
    ("rotation", "All four turns of an image are in one batch"),
    ("rotation", "counter-clockwise"),
    ("relative_patch", "keep their gap and never touch"),
    ("jigsaw", "Every tile is normalised by itself"),
    ("jigsaw", "Half of the images are grey"),
    ("colourisation", "Soft targets have 5 neighbours"),
    ("colourisation", "The weights of rare colours are in the printed loss"),
    ("inpainting", "Holes begin in a colour that no image has"),
    ("mae", "unbiased"),
    ("mae", "normalises features with batch norm"),
]


def page(name: str) -> str:
    """Return the page of a method with its line breaks taken out."""
    return " ".join(" ".join(card_lines(name)).split())


@pytest.mark.parametrize("name", methods.names())
def test_a_page_says_all_that_is_known(name: str) -> None:
    kind, text = methods.find(name), page(name)
    for part in (kind.card.idea, kind.card.paper, kind.card.deviations, kind.card.fails):
        assert " ".join(part.split()) in text
    assert f"{kind.recipe.optimiser}, rate {kind.recipe.lr:g} at batch 256" in text
    assert "Knows nothing a loss of " in text
    for setting in methods.settings_of(kind).values():
        allowed = f" ({setting.allowed})" if setting.allowed else ""
        assert f"{setting.name} = {setting.default} {setting.help}{allowed}" in text


@pytest.mark.parametrize(("name", "said"), DISAGREEMENTS)
def test_where_public_codes_disagree_the_page_says_what_is_taken(name: str, said: str) -> None:
    card = methods.find(name).card
    assert said in " ".join((card.deviations, card.choices))


def test_no_line_is_too_wide_for_a_terminal() -> None:
    lines = [*card_lines("dino"), *list_lines()]
    assert max(len(line) for line in lines) <= 100
    for name in methods.names():
        assert any(line.startswith(f"{name} ") for line in list_lines())
