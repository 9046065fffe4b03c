"""DINO: a student predicts, from any view, what its own slow average sees in a large view.

Caron, Touvron, Misra, Jégou, Mairal, Bojanowski, Joulin: Emerging Properties in Self-Supervised
Vision Transformers, ICCV 2021 (arXiv 2104.14294), equations 1 to 4 and algorithm 1.

Views of one size pass through the student's encoder as one batch, and all of them through its head
as one; the teacher gets the two large views as one batch. The teacher is what is kept.
"""

from collections.abc import Mapping
from math import log
from typing import Annotated, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from selfsight.ema import Ema
from selfsight.gather import gather
from selfsight.joined import joined
from selfsight.method import Adjustment, Card, Method, Recipe, Situation, Step, Views
from selfsight.nets.encoder import Encoder
from selfsight.nets.heads import mlp
from selfsight.nets.prototypes import Prototypes, assignment_logs, fitting_count
from selfsight.nets.sizes import features_of_all, small_side
from selfsight.precision import full_precision
from selfsight.ranges import Count, Fraction, Momentum, Positive, Range, Several, Share, Whole
from selfsight.schedule import rising_momentum
from selfsight.suiting import slower_teacher
from selfsight.views.presets import EachOf, multi_crop

Scores = Float[Tensor, "batch outputs"]


@full_precision
def dino_loss(
    student: list[Scores],
    teacher: list[Scores],
    centre: Float[Tensor, "outputs"],
    *,
    student_temperature: float,
    teacher_temperature: float,
) -> Float[Tensor, ""]:
    """Return the cross entropy of the teacher's centred softmax under the student's.

    The mean is over the batch and all pairs of a teacher's view and another view of the student;
    view v of both lists is the same view. No gradient flows to the teacher.
    """
    sharp = teacher_shares(teacher, centre, temperature=teacher_temperature)
    predicted = [view.div(student_temperature).log_softmax(1) for view in student]
    terms = [
        -(shares * log_shares).sum(1).mean()
        for large, shares in enumerate(sharp)
        for view, log_shares in enumerate(predicted)
        if view != large
    ]
    return torch.stack(terms).mean()


@torch.no_grad()
@full_precision
def teacher_shares(
    teacher: list[Scores], centre: Float[Tensor, "outputs"], *, temperature: float
) -> list[Scores]:
    """Return softmax((scores - centre) / temperature).

    Centring is against one output that always wins, a low temperature against all outputs alike.
    """
    return [view.sub(centre).div(temperature).softmax(1) for view in teacher]


class DINO(Method):
    """Self-distillation without labels; made for vision transformers, works for any encoder."""

    compares_images = True

    card = Card(
        idea="A teacher, the slow average of the student, sees two large views of an image and "
        "sorts it into classes that nobody named. The student must sort alike from another view, "
        "often a small one. Centring and sharpening keep the classes in use.",
        paper="Caron, Touvron, Misra, Jegou, Mairal, Bojanowski, Joulin: Emerging Properties in "
        "Self-Supervised Vision Transformers, ICCV 2021, arXiv 2104.14294",
        deviations="A head of Linear, batch norm and ReLU instead of GELU; fewer outputs and local "
        "views, a faster teacher, for short runs on small images. A rate of 1e-3 (paper: 5e-4 at "
        "batch 256), a constant weight decay of 1e-4 (paper: 0.04 rising to 0.4) and no drop path "
        "(paper: 0.1). No blur of views up to 64 px, be they small views of larger images.",
        choices="The centre moves after the loss, which uses that of earlier steps. Every view "
        "but the teacher's own counts for the student, small ones too. teacher_temperature stays "
        "at 0.04, the code's default (paper: to 0.07). Gradients are shortened tensor by tensor. "
        "The teacher moves after every step, by weights, and keeps batch norm statistics of its "
        "own. Views of one size are one batch for batch norm. The loss is the mean over pairs of "
        "views (DINOv2's code: the sum).",
        fails="Two collapses, seen in the logs. All outputs alike: teacher_entropy and the loss "
        "at their most, teacher_student_divergence 0; lower teacher_temperature. One output wins: "
        "mean_assignment_entropy and the loss at 0; the centre follows too slowly.",
    )
    recipe = Recipe(optimiser="adamw", lr=1e-3, weight_decay=1e-4)
    remedies: ClassVar[Mapping[str, str]] = {
        "one-prototype": "lower centre_momentum, so that the centre follows; then lower the "
        "learning rate",
        "cluster": "lower centre_momentum, so that the centre follows; then use fewer outputs",
        "uniform": "lower teacher_temperature, well below student_temperature",
        "complete": "lower the learning rate; then raise momentum",
    }
    centre: Tensor

    def __init__(
        self,
        encoder: Encoder,
        *,
        outputs: Annotated[Several, "classes that the head sorts into; paper 65536"] = 512,
        student_temperature: Annotated[Positive, "paper 0.1; of the student's softmax"] = 0.1,
        teacher_temperature: Annotated[
            Positive, "lower is sharper; code 0.04, paper to 0.07"
        ] = 0.04,
        momentum: Annotated[Momentum, "of the teacher at first, rises to 1; paper 0.996"] = 0.99,
        centre_momentum: Annotated[
            Fraction, "of the centre of the teacher's scores; code 0.9"
        ] = 0.9,
        frozen: Annotated[
            Fraction, "first share of training with a fixed last layer; code 1 epoch"
        ] = 0.02,
        hidden: Annotated[Count, "width of the head's hidden layers; paper 2048"] = 512,
        projection: Annotated[Count, "width of the vectors before the last layer; paper 256"] = 64,
        local_crops: Annotated[Whole, "small views for the student alone; paper 8"] = 2,
        local_size: Annotated[Share, "side of a small view, share of a large; paper 96/224"] = 0.5,
        division: Annotated[
            float,
            Range(at_least=0.05, at_most=1.0),
            "share of the area between small and large; paper 0.4",
        ] = 0.4,
        clip: Annotated[Positive, "longest gradient that a tensor may have; code 3.0"] = 3.0,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.projector = mlp([encoder.dim, hidden, hidden, projection])
        self.prototypes = Prototypes(outputs, dim=projection)
        self.teacher = Ema(nn.ModuleList([encoder, self.projector, self.prototypes]))
        self.register_buffer("centre", torch.zeros(outputs))
        self.student_temperature = student_temperature
        self.teacher_temperature = teacher_temperature
        self.momentum, self.centre_momentum = momentum, centre_momentum
        self.frozen, self.clip = frozen, clip
        self.views = EachOf(
            multi_crop(
                encoder.image_size,
                local_size=small_side(encoder, share=local_size),
                local_views=local_crops,
                division=division,
            )
        )

    def forward(self, views: Views, progress: float) -> Step:
        """Return the student's cross entropy with the teacher; then the centre moves."""
        z = self.projector(features_of_all(self.encoder, views))
        frozen = progress < self.frozen
        student = [self.prototypes(gather(part), frozen=frozen) for part in z.chunk(len(views))]
        teacher = self._teach(views[:2])
        loss = dino_loss(
            student,
            teacher,
            self.centre,
            student_temperature=self.student_temperature,
            teacher_temperature=self.teacher_temperature,
        )
        logs = self._watch(student, teacher)
        # after the loss: a centre that knows this batch is another loss
        self.centre = self.centre.lerp(torch.cat(teacher).mean(0), 1 - self.centre_momentum)
        return Step(loss, watched=z[: len(views[0])], logs=logs)

    @torch.no_grad()
    def _teach(self, views: Views) -> list[Scores]:
        encoder, projector, prototypes = self.teacher.network.children()
        z = projector(encoder(joined(views)))
        return [prototypes(gather(part), frozen=True) for part in z.chunk(len(views))]

    @torch.no_grad()
    def _watch(self, student: list[Scores], teacher: list[Scores]) -> dict[str, Tensor]:
        """Return the entropies of the teacher's first view, and its divergence from the student.

        teacher_entropy and teacher_student_divergence, the mean of KL(teacher | student of the
        other large view), are in nats.
        """
        shares = teacher_shares(teacher, self.centre, temperature=self.teacher_temperature)[0]
        predicted = student[1].div(self.student_temperature).log_softmax(1)
        entropy = -torch.special.xlogy(shares, shares).sum(1).mean()
        divergence = -(shares * predicted).sum(1).mean() - entropy
        own = {"teacher_entropy": entropy, "teacher_student_divergence": divergence}
        return assignment_logs(shares) | own

    def after_step(self, progress: float) -> None:
        """Move the teacher towards the student, encoder and head."""
        online = nn.ModuleList([self.encoder, self.projector, self.prototypes])
        self.teacher.update(online, momentum=rising_momentum(progress, start=self.momentum))

    def param_groups(self) -> list[dict[str, object]]:
        """Return one group whose gradients are shortened tensor by tensor."""
        return [group | {"clip": self.clip} for group in super().param_groups()]

    @property
    def exported(self) -> Encoder:
        """Return the teacher's encoder, which is better than the student's."""
        encoder = next(self.teacher.network.children())
        assert isinstance(encoder, Encoder)
        return encoder

    @property
    def projection_head(self) -> nn.Sequential:
        """Return the teacher's head, which is its encoder's."""
        _, projector, _ = self.teacher.network.children()
        assert isinstance(projector, nn.Sequential)
        return projector

    def knows_nothing(self, batch: int) -> float:  # noqa: ARG002
        """Return the loss of independent random directions, ln K + 1 / (2 d t^2) roughly."""
        outputs, dim = self.prototypes.weight.shape
        return log(outputs) + 1 / (2 * dim * self.student_temperature**2)

    def collapsed(self, batch: int) -> float:  # noqa: ARG002
        """Return ln K: all outputs alike; the other collapse, one output alone, has loss 0."""
        return log(len(self.centre))

    @classmethod
    def suited(cls, situation: Situation) -> list[Adjustment]:
        """Return fewer outputs than images, and a slower teacher for small batches."""
        slower = slower_teacher(situation, momentum=0.99)
        fewer = fitting_count(512, images=situation.images)
        if fewer == 512:
            return slower
        reason = f"512 would be more than a quarter of the {situation.images:,} images"
        return [Adjustment("outputs", fewer, reason), *slower]
