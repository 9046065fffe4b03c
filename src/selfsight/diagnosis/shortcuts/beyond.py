"""Do answers follow a cue more often than those from the untrained encoder do?

A probe that was fitted where a strong cue agrees with every label follows it with nearly any
features: that says something of the cue and of the probe, and nothing of what training did. So the
same conflict images are answered from the untrained encoder too, image by image, and the difference
is tested by flipping signs, corrected over the cues. Chance is taken off both, as a poor encoder
hits the cue's class by mistake more often. Only reliance beyond the untrained encoder's
can be a fault of the training.

There is one untrained encoder, and another draw of its weights would follow somewhat more or less
(bench/shortcuts.py measures how often two of them surely differ). So a difference also has to be
WORTH some points before it counts; that threshold is ours.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from selfsight.diagnosis.shortcuts.permutation import LEVEL, sign_flip
from selfsight.diagnosis.shortcuts.planted import CueTest
from selfsight.diagnosis.shortcuts.resampling import mean_interval
from selfsight.evaluation.interval import Interval
from selfsight.evaluation.seeds import holm

UNTRAINED = "untrained"
WORTH = 0.1  # of the conflict images, from which a difference counts


@dataclass(frozen=True, slots=True)
class Beyond:
    """How much more of the conflict images follow a cue than from the untrained encoder."""

    difference: Interval  # of the shares of conflict images, less chance; paired
    p: float  # of a difference above 0 by chance, corrected over the cues

    @property
    def sure(self) -> bool:
        """Whether surely more of the answers follow, and enough to count."""
        return self.p <= LEVEL and self.difference.value >= WORTH


def beyond_untrained(tests: Sequence[CueTest], *, seed: int) -> dict[str, Beyond]:
    """Return the first encoder's reliance beyond the untrained one's, by the name of the cue.

    Empty without labels, or where no encoder is UNTRAINED.
    """
    plain = {test.cue.name: test.reliance for test in tests if test.encoder == UNTRAINED}
    differences = {}
    for test in tests:
        other = plain.get(test.cue.name)
        if test.encoder == tests[0].encoder and test.reliance is not None and other is not None:
            differences[test.cue.name] = test.reliance.over_chance - other.over_chance
    p_values = holm([sign_flip(values, seed=seed) for values in differences.values()])
    return {
        name: Beyond(mean_interval(values, seed=seed), p)
        for (name, values), p in zip(differences.items(), p_values, strict=True)
    }
