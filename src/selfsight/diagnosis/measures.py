"""The measures of quality without labels: what each is, its range, its blind spot, its source.

None is a verdict. Each sees one side of the features, each has a way of being high on a bad
encoder, and none of them sees a shortcut: a code that reads a watermark fills its dimensions,
agrees between views and clusters stably.
"""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from selfsight.diagnosis.agreement import NEIGHBOURS, neighbour_agreement
from selfsight.diagnosis.alignment import alignment, ideal_uniformity, uniformity
from selfsight.diagnosis.clusters import CLUSTERS, cluster_stability
from selfsight.diagnosis.lidar import DELTA, lidar, unit_variance
from selfsight.diagnosis.spectrum import alpha_req, nesum
from selfsight.diagnosis.spread import participation_ratio, rankme

FIRST, LAST = 11, 100  # eigenvalues to which alpha is fitted
NARROW = 30  # below so many eigenvalues all of them are fitted


@dataclass(frozen=True, slots=True)
class Sample:
    """The frozen features of some images, and of several views each of the first of them.

    The images of `views` are the first of those of `features`; contiguous, image by image.
    """

    features: Float[Tensor, "images dim"]
    views: Float[Tensor, "viewed views dim"]


@dataclass(frozen=True, slots=True)
class Measure:
    """A number that can be had without labels."""

    name: str
    value: Callable[[Sample], float]
    of: Literal["features", "views"]  # which part of the sample it reads
    better: Literal["higher", "lower", "near 1"]
    bounds: Callable[[int, int], str]  # from number of images and width, as words
    means: str
    blind: str
    source: str
    level: Callable[[int], tuple[str, float]] | None = None  # a value with a meaning, from images

    def gain(self, value: float) -> float:
        """Return the value turned so that more is better."""
        if self.better == "near 1":
            return -abs(value - 1)
        return value if self.better == "higher" else -value


def fitted_alpha(rows: Float[Tensor, "n dim"]) -> float:
    """Return alpha-ReQ over eigenvalues 11 to 100, or over all where there are fewer than 30."""
    if min(len(rows) - 1, rows.shape[1]) < NARROW:
        return alpha_req(rows)
    return alpha_req(rows, first=FIRST, last=LAST)


def _pairs(measure: Callable[[Tensor, Tensor], float]) -> Callable[[Sample], float]:
    """Return a measure of two views of each image, the first two."""
    return lambda sample: measure(sample.views[:, 0], sample.views[:, 1])


MEASURES = (
    Measure(
        "RankMe",
        lambda sample: rankme(sample.features),
        "features",
        "higher",
        lambda n, dim: f"1 to {min(n, dim)}",
        "how many directions the features fill, by the entropy of their singular values; "
        "neither centred nor normalised",
        "what the directions hold: noise fills them all; ranks checkpoints of one method, "
        "not methods",
        "Garrido et al., ICML 2023, arXiv 2210.02885, equation 2",
    ),
    Measure(
        "alpha-ReQ",
        lambda sample: fitted_alpha(sample.features),
        "features",
        "near 1",
        lambda n, dim: (
            f"any; fitted to eigenvalues {FIRST} to {min(LAST, dim, n - 1)}"
            if min(n - 1, dim) >= NARROW
            else "any; fitted to all eigenvalues"
        ),
        "how fast the eigenvalues of the covariance fall; far above 1 few directions rule, "
        "below 1 all are alike",
        "the largest eigenvalues, which the fit leaves out; depends on the fitted range",
        "Agrawal et al., NeurIPS 2022",
        lambda _: ("1", 1.0),
    ),
    Measure(
        "participation ratio",
        lambda sample: participation_ratio(sample.features),
        "features",
        "higher",
        lambda n, dim: f"1 to {min(n - 1, dim)}",
        "directions that hold the variance, counted by the squares of the eigenvalues",
        "everything beyond the few largest eigenvalues; a strong direction such as brightness "
        "hides the rest",
        "(sum of eigenvalues)^2 / sum of squares; Gao et al., 2017",
    ),
    Measure(
        "NESum",
        lambda sample: nesum(sample.features),
        "features",
        "higher",
        lambda n, dim: f"1 to {min(n - 1, dim)}",
        "all variance as a multiple of the largest direction's",
        "as the participation ratio, more so: one large direction ruins it",
        "He and Ozay, ICML 2022",
    ),
    Measure(
        "uniformity",
        lambda sample: uniformity(sample.features),
        "features",
        "lower",
        lambda _, dim: f"0 to -4; the whole sphere has {ideal_uniformity(dim):.2f}",
        "how evenly the directions of the features cover the sphere",
        "dimensional collapse, and what the images show; features after a ReLU share a direction",
        "Wang and Isola, ICML 2020, arXiv 2005.10242, t = 2",
    ),
    Measure(
        "LiDAR",
        lambda sample: lidar(unit_variance(sample.views)),
        "views",
        "higher",
        lambda n, dim: f"1 to {min(n - 1, dim)}",
        "directions that tell images apart better than views of one image",
        "whether the views keep what matters; depends on the views, on their number and on "
        f"delta {DELTA:g} (features scaled to variance 1)",
        "Thilak et al., ICLR 2024, arXiv 2312.04000",
    ),
    Measure(
        "alignment",
        _pairs(alignment),
        "views",
        "lower",
        lambda _n, _dim: "0 to 4; 2 if unrelated",
        "squared distance of the directions of two views of an image",
        "collapse: 0 is best for a point; says nothing without uniformity",
        "Wang and Isola, ICML 2020, arXiv 2005.10242, exponent 2",
    ),
    Measure(
        "neighbour agreement",
        _pairs(neighbour_agreement),
        "views",
        "higher",
        lambda _n, _dim: "0 to 1",
        f"share of the {NEIGHBOURS} nearest neighbours that two views of an image have in common",
        "why they are neighbours: colour or background agrees as well as content",
        "overlap of mutual neighbours as in Huh et al., ICML 2024, arXiv 2405.07987",
        lambda n: ("chance", NEIGHBOURS / (n - 1)),
    ),
)

STABILITY = Measure(
    "cluster stability",
    lambda sample: fmean(cluster_stability(sample.features, seed=0)),
    "features",
    "higher",
    lambda _n, _dim: "-0.5 to 1",
    f"how far two halves of the images fall into the same {CLUSTERS} clusters",
    "what the clusters are: dark and bright images cluster stably; depends on their number",
    "Ben-Hur et al., 2002, and Lange et al., 2004, with the index of Hubert and Arabie, 1985",
    lambda _: ("chance", 0.0),
)
ALL = (*MEASURES, STABILITY)


def part_of(sample: Sample, kept: Tensor) -> Sample:
    """Return the sample with only the kept images; `kept` is a mask over all of them."""
    return Sample(sample.features[kept], sample.views[kept[: len(sample.views)]])
