"""What was measured of a machine, and what it says: the bottleneck, and what to change."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from selfsight.display import duration
from selfsight.memory import in_words
from selfsight.stopwatch import MODEL, READING, UPDATE, VIEWS

EXPLAINED = {
    READING: "batches from the decoded store",
    VIEWS: "crops, colours, blur",
    MODEL: "forward and backward pass",
    UPDATE: "optimiser, slow copies",
}
OTHER = "other"  # what of a step is none of the parts
BEGINNING = "beginning"  # before the first step, finding what the encoder begins with


@dataclass(frozen=True, slots=True)
class Once:
    """What a folder takes before the first step, unless it is decoded already.

    reading, decoding: images/s. processes: that decode. file: bytes of a file, the mean.
    """

    reading: float
    decoding: float
    processes: int
    file: float


@dataclass(frozen=True, slots=True)
class Bench:
    """What `selfsight bench` found for a planned run; `lines()` says it, `to_json()` holds it.

    images: that would be trained on; files: that would be decoded, held-out ones too. batch: images
    a step, accumulated ones too. seconds: of a step. shares: of a step's time, by part. steps,
    passes: of the planned run, over its images. Without steps, the encoder is found by a `batch` of
    all pairs that are looked at. beginning: seconds before the first step that the encoder takes to
    find what it begins with. memory, free, store: bytes taken at most, still free (None: unknown),
    of the decoded images. cores: that this process may use.
    """

    plan: str
    device: str
    precision: str
    threads: int
    cores: int
    images: int
    files: int
    batch: int
    seconds: float
    shares: Mapping[str, float]
    steps: int
    passes: float
    memory: int
    free: int | None
    store: int
    once: Once | None
    beginning: float = 0.0

    @property
    def preparing(self) -> float:
        """Return the seconds that decoding takes, once."""
        once = self.once
        return 0.0 if once is None else self.files / min(once.reading, once.decoding)

    @property
    def training(self) -> float:
        """Return the seconds that the planned steps take, or finding the encoder without any."""
        return max(1, self.steps) * self.seconds

    @property
    def bound(self) -> str:
        """Return what takes longest: a part of the step, or "disk", "decoding" or "beginning"."""
        if self.beginning > max(self.preparing, self.training):
            return BEGINNING
        if self.once is not None and self.preparing > self.training:
            return "disk" if self.once.reading < self.once.decoding else "decoding"
        return max(self.shares, key=lambda part: self.shares[part])

    @property
    def advice(self) -> str:
        """Return what to change, or that nothing here can be."""
        if self.bound == MODEL:
            return self._about_the_model()
        if self.bound == BEGINNING or (self.steps == 0 and self.bound in self.shares):
            faster = "an accelerator" if self.device == "cpu" else "a faster accelerator"
            return "; or ".join([*self._busy_cores(), faster])
        if self.bound == READING and self.free is not None and self.store > self.free:
            return (
                f"the decoded images ({in_words(self.store)}) do not fit into the free memory "
                f"({in_words(self.free)}): a smaller --size, or --cache on a faster disk"
            )
        return {
            "disk": "copy the images to a faster disk; it is read once, then the store serves",
            "decoding": "it happens once, and --cache keeps it for every later run of this --size",
            READING: "put --cache on a faster disk, or into memory (/dev/shm)",
            VIEWS: "smaller or fewer views (see selfsight methods NAME), or a smaller --size",
            UPDATE: "a larger --batch, which takes fewer updates, or another --optimiser",
            OTHER: "a larger --batch: what a step takes besides is the same for any batch",
        }[self.bound]

    def _about_the_model(self) -> str:
        ways = ["a smaller --encoder", "a smaller --size"]
        if self.device == "cpu":
            ways[0] += " (convnet is made for processors)" if "convnet" not in self.plan else ""
            ways = [*self._busy_cores(), *ways, "an accelerator"]
        elif self.precision == "fp32":
            ways.insert(0, "--precision bf16")
        return "; or ".join(ways)

    def _busy_cores(self) -> list[str]:
        busy = self.cores - self.threads if self.device == "cpu" else 0
        return [f"end the programs that keep {busy} of {self.cores} cores busy"] if busy > 0 else []

    def lines(self) -> list[str]:
        """Return what was found, for a reader."""
        rate = self.batch / self.seconds
        of_what = "of a step" if self.steps else "of it all"
        width = max(10, *(len(part) + 1 for part in self.shares))
        rows = [self.plan, "", f"{'':<{width}}{'images/s':>12}{of_what:>11}"]
        if self.once is not None:
            rows += [
                f"{'disk':<{width}}{self.once.reading:>12,.0f}{'once':>11}  "
                f"{self.once.file / 1024:,.0f} KiB an image",
                f"{'decoding':<{width}}{self.once.decoding:>12,.0f}{'once':>11}  "
                f"on {self.once.processes} of {self.cores} cores",
            ]
        for part, share in self.shares.items():
            if share < 0.0005:
                continue
            what = EXPLAINED.get(part, "")
            rows.append(f"{part:<{width}}{rate / share:>12,.0f}{share:>11.1%}  {what}".rstrip())
        rows += [f"{'whole':<{width}}{rate:>12,.0f}", ""]
        if self.once is not None:
            rows.append(f"decoding {self.files:,} images takes about {duration(self.preparing)}")
        if self.beginning:
            rows.append(f"what the encoder begins with takes about {duration(self.beginning)} more")
        if self.steps:
            rows.append(
                f"training takes about {duration(self.training)}: {self.steps:,.0f} steps, "
                f"{self.passes:.3g} passes over {self.images:,} images; looks and the last "
                "measurements come on top"
            )
        else:
            rows.append(
                f"finding the encoder takes about {duration(self.training)}, by {self.batch:,} "
                f"pairs of views of {self.images:,} images; the last measurements come on top"
            )
        free = "" if self.free is None else f"; {in_words(self.free)} are free"
        rows.append(f"memory: {in_words(self.memory)} at most{free}")
        what = f"{self.shares[self.bound]:.0%} {of_what}" if self.bound in self.shares else "once"
        rows.append(f"what bounds it: {self.bound} ({what}). To change that: {self.advice}")
        return rows

    def to_json(self) -> dict[str, object]:
        """Return everything that was measured, and what follows from it."""
        return asdict(self) | {
            "images_per_second": self.batch / self.seconds,
            "preparing": self.preparing,
            "training": self.training,
            "bound": self.bound,
            "advice": self.advice,
        }
