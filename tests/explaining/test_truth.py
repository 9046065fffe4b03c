"""Images whose answer is known: an object on a texture, and an encoder that has learnt the object.

This is the only test with a right answer: the map must lie on what the encoder uses.
"""

from dataclasses import dataclass

import pytest
import torch
from made_up_images import CLASSES, OBJECT, scenes, taught, two_objects
from torch import Tensor
from torch.nn import functional as F

from selfsight.explaining.deletion import areas, order_of, random_orders
from selfsight.explaining.gradcam import GradCam
from selfsight.explaining.integrated import IntegratedGradients
from selfsight.explaining.maps import MapMaker, features_of
from selfsight.explaining.occlusion import Occlusion
from selfsight.explaining.randomised import randomised
from selfsight.explaining.relax import Relax
from selfsight.explaining.targets import ClassOf, Similarity, Target
from selfsight.nets.encoder import Encoder

SHOWN = 4
SHARE = (OBJECT / 32) ** 2  # of the image that the object covers
MAKERS = {
    "gradcam": GradCam(),
    "integrated": IntegratedGradients(steps=16, most_steps=64),
    "occlusion": Occlusion(),
    "relax": Relax(masks=100),
}


@dataclass(frozen=True, slots=True)
class Known:
    """An encoder that knows the object, its twin with random weights, and images it never saw."""

    encoder: Encoder
    twin: Encoder
    head: Tensor
    images: Tensor
    classes: Tensor
    masks: Tensor

    def toward_class_mates(self, encoder: Encoder, *, foil: bool = False) -> Similarity:
        """Return the similarity of the first images to another image of the same class."""
        others = self.images[SHOWN:]
        mates = [(self.classes[SHOWN:] == kind).nonzero()[0, 0] for kind in self.classes[:SHOWN]]
        features = features_of(encoder, others)
        mean = F.normalize(features, dim=1).mean(0)
        return Similarity(features[torch.stack(mates)], mean if foil else torch.zeros_like(mean))


@pytest.fixture(scope="module")
def known() -> Known:
    encoder, head = taught(steps=30)
    images, classes, masks = scenes(60, seed=9)
    right = (features_of(encoder, images) @ head.T).argmax(1) == classes
    assert right.float().mean() > 0.9, "the encoder has not learnt the objects"
    return Known(encoder, randomised(encoder, images, seed=5), head, images, classes, masks)


def mass_on_object(maker: MapMaker, encoder: Encoder, target: Target, known: Known) -> float:
    """Return the share of a map's positive mass, above its median, that lies on the object."""
    values = maker(encoder, known.images[:SHOWN], target).values
    mass = (values - values.flatten(1).median(1).values[:, None, None]).clamp(min=0)
    return float(((mass * known.masks[:SHOWN]).sum((1, 2)) / mass.sum((1, 2))).mean())


@pytest.mark.parametrize("name", MAKERS)
def test_a_map_lies_on_the_object_and_after_randomising_the_weights_it_does_not(
    name: str, known: Known
) -> None:
    maker = MAKERS[name]
    target, twins = known.toward_class_mates(known.encoder), known.toward_class_mates(known.twin)
    found = mass_on_object(maker, known.encoder, target, known)
    chance = mass_on_object(maker, known.twin, twins, known)
    assert found > 2.5 * SHARE, found
    assert chance < 0.6 * found, (found, chance)


@pytest.mark.parametrize("name", ["gradcam", "integrated"])
def test_a_map_toward_the_class_of_a_probe_lies_on_the_object(name: str, known: Known) -> None:
    target = ClassOf(known.head.T, torch.zeros(CLASSES), known.classes[:SHOWN])
    assert mass_on_object(MAKERS[name], known.encoder, target, known) > 2.5 * SHARE


@pytest.mark.parametrize("name", ["gradcam", "relax"])
def test_the_order_of_a_true_map_beats_random_orders(name: str, known: Known) -> None:
    target = known.toward_class_mates(known.encoder)
    maps = MAKERS[name](known.encoder, known.images[:2], target)
    generator = torch.Generator().manual_seed(0)
    for row, image in enumerate(known.images[:2]):
        chance = random_orders(image, count=6, generator=generator)
        orders = torch.cat([order_of(maps.values[row])[None], chance])
        found = areas(known.encoder, image, target.part(torch.tensor([row])), orders=orders)
        assert found.deletion[0].mean() < found.deletion[1:].mean(1).min()
        assert found.insertion[0].mean() > found.insertion[1:].mean(1).max()


@pytest.mark.parametrize("foil", [False, True])
@pytest.mark.parametrize("name", ["gradcam", "relax"])
def test_of_two_objects_a_map_marks_the_one_that_the_reference_shares(
    name: str, foil: bool, known: Known
) -> None:
    images, asked, masks, others = two_objects(6, seed=3)
    features = features_of(known.encoder, known.images)
    references = torch.stack([features[known.classes == kind].mean(0) for kind in asked])
    mean = F.normalize(features, dim=1).mean(0) * foil
    values = MAKERS[name](known.encoder, images, Similarity(references, mean)).values
    on_asked, on_other = ((values * each).sum((1, 2)) for each in (masks, others))
    assert (on_asked > on_other).float().mean() >= 5 / 6
