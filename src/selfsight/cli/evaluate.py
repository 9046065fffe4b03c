"""`selfsight evaluate`."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from selfsight.cli.app import Positional, app
from selfsight.errors import UserError

AGAINST, PROTOCOLS, SEEDS = "scratch,random,pixels", "knn,linear,finetune", 3


@app.command
def evaluate(
    encoder: Annotated[Path, Positional],
    /,
    *,
    train: str,
    test: str,
    out: Path | None = None,
    labels_per_class: str | None = None,
    fractions: str | None = None,
    against: str = AGAINST,
    protocols: str = PROTOCOLS,
    transfer: Annotated[tuple[str, str] | None, Parameter(consume_multiple=False)] = None,
    seeds: int = SEEDS,
    effort: float = 1.0,
    labels: str = "auto",
    test_labels: str = "same",
    seed: int = 0,
    cache: str = "auto",
    device: str = "auto",
    precision: Literal["auto", "fp32", "bf16"] = "auto",
    threads: int | Literal["auto"] = "auto",
    json: Path | None = None,
) -> None:
    """Measure an encoder beside what costs less, with few labels and with many.

    Without --out: kNN and linear probe with all labels, beside raw pixels and an untrained
    encoder. With --out: every arm with the same few labels and many, over several seeds, and a
    page. It takes from minutes to hours, and the same command goes on where it was stopped.

    Parameters
    ----------
    encoder
        A run's directory or an encoder file.
    train
        Folder of labelled images to draw labels from.
    test
        Folder of labelled images to measure on; used once.
    out
        Directory of the whole comparison: evidence.json, report.html, the labelled images.
    labels_per_class
        How many labels, with --out: numbers with commas (default 1,2,5,10,25,100,all).
    fractions
        How many labels, as shares of each class instead: 0.01,0.1,1.
    against
        What to compare with: scratch (the same network trained with the labels), random (untrained
        and frozen), pixels, encoder files (.safetensors), timm:NAME (if its weights are on this
        disk).
    protocols
        Some of knn, linear, finetune.
    transfer
        A second pair, to train and to test on, of class folders.
    seeds
        How many times labels are drawn and networks begun.
    effort
        Times the steps of training with labels; the tuning grows with them.
    labels
        auto: class folders; or a CSV file with columns path,label.
    test_labels
        Those of the test images: same (one table for both), auto, or a CSV file of their own.
    seed
        First seed; of the splits and of the bootstrap.
    cache
        Folder for decoded images (auto: .selfsight-cache here).
    device
        Where to compute: auto, cpu, or a device name that torch knows.
    precision
        Arithmetic of training with labels (auto: bf16 where the processor has it).
    threads
        Processor threads, with --out (auto: one for each idle core).
    json
        File to write the evidence to, too; without --out.
    """
    from selfsight.display import print_out

    if out is None:
        for name, given, default in (
            ("labels-per-class", labels_per_class, None),
            ("fractions", fractions, None),
            ("against", against, AGAINST),
            ("protocols", protocols, PROTOCOLS),
            ("transfer", transfer, None),
            ("seeds", seeds, SEEDS),
            ("effort", effort, 1.0),
            ("precision", precision, "auto"),
            ("threads", threads, "auto"),
        ):
            if given != default:
                raise UserError(
                    f"--{name} belongs to the whole comparison, which needs a place: "
                    "give --out DIRECTORY"
                )
        from selfsight.commands.evaluating import evaluate as evaluate_encoder

        found = evaluate_encoder(
            encoder,
            train=train,
            test=test,
            labels=labels,
            test_labels=test_labels,
            seed=seed,
            cache=cache,
            device=device,
            json_file=json,
        )
        print_out("\n".join(found.table()))
        return
    if json is not None:
        raise UserError(f"--json {json} has no effect with --out: {out}/evidence.json is written")
    from selfsight.assessment.printing import lines_of
    from selfsight.commands.assessing import assess

    evidence = assess(
        encoder,
        train=train,
        test=test,
        out=out,
        labels_per_class=labels_per_class,
        fractions=fractions,
        against=against,
        protocols=protocols,
        transfer=transfer,
        seeds=seeds,
        effort=effort,
        labels=labels,
        test_labels=test_labels,
        seed=seed,
        cache=cache,
        device=device,
        precision=precision,
        threads=threads,
    )
    print_out("\n".join(lines_of(evidence)))
    print_out(f"report: {out / 'report.html'}")
