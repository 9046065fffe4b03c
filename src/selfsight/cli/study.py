"""`selfsight study`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from selfsight.cli.app import Positional, app
from selfsight.cli.words import SHARED, Images, Pairs, Resume, Shared, listed, pairs, plain
from selfsight.errors import UserError


@app.command
def study(
    images: Annotated[str, Positional],
    /,
    *,
    method: Annotated[str, Parameter(alias="--methods")],
    vary: str,
    out: Path,
    seeds: int = 3,
    images_each: Images = None,
    settings: Annotated[Shared, Parameter(name="*")] = SHARED,
    set_: Pairs = None,
    resume: Resume = False,
) -> None:
    """Show how methods depend on one setting: the trend, with spread, on one page.

    Parameters
    ----------
    images
        A folder of images in class folders, or the name of an image set.
    method
        A method, or several with commas: simclr,moco,byol.
    vary
        One setting of training or of the method: batch=32,64,128 or data=0.1,0.3,1.
    out
        The study's folder; it must be new.
    seeds
        Runs of every value; three or more tell real differences from luck.
    images_each
        Budget: show so many training images to each run (or give --minutes).
    set_
        A setting of all methods that have it (NAME=VALUE) or of one (METHOD.NAME=VALUE).
    resume
        Go on with the study in OUT; values, methods and seeds may be added.
    """
    from selfsight.commands.studying import study as study_setting
    from selfsight.display import print_out

    name, equals, values = vary.partition("=")
    if not equals or not name:
        raise UserError(f"--vary {vary}: write it as NAME=VALUE,VALUE,…")
    found = study_setting(
        images,
        methods=listed(method, option="--method"),
        vary=name,
        values=listed(values, option="--vary"),
        out=out,
        settings=plain(settings),
        images_each=images_each,
        seeds=seeds,
        method_settings=pairs(set_),
        resume=resume,
    )
    print_out("\n".join([*found.table(), f"page: {out / 'report.html'}"]))
