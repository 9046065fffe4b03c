"""`selfsight compare`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from selfsight.cli.app import Positional, app
from selfsight.cli.words import SHARED, Images, Pairs, Resume, Shared, listed, pairs, plain


@app.command
def compare(
    images: Annotated[str, Positional],
    /,
    *,
    methods: str,
    out: Path,
    seeds: int = 3,
    images_each: Images = None,
    settings: Annotated[Shared, Parameter(name="*")] = SHARED,
    set_: Pairs = None,
    resume: Resume = False,
) -> None:
    """Compare methods on one equal budget: ranked, with spread, on one page.

    Parameters
    ----------
    images
        A folder of images in class folders, or the name of an image set.
    methods
        Names with commas: simclr,byol,rotation.
    out
        The comparison's folder; it must be new.
    seeds
        Runs of every method; three or more tell real differences from luck.
    images_each
        Budget: show so many training images to each method (or give --minutes).
    set_
        A setting of all methods that have it (NAME=VALUE) or of one (METHOD.NAME=VALUE).
    resume
        Go on with the comparison in OUT; methods and seeds may be added.
    """
    from selfsight.commands.comparing import compare as compare_methods
    from selfsight.display import print_out

    found = compare_methods(
        images,
        methods=listed(methods, option="--methods"),
        out=out,
        settings=plain(settings),
        images_each=images_each,
        seeds=seeds,
        method_settings=pairs(set_),
        resume=resume,
    )
    print_out("\n".join([*found.table(), f"page: {out / 'report.html'}"]))
