"""`selfsight methods`."""

from typing import Annotated

from selfsight.cli.app import Positional, app


@app.command(name="methods")
def show_methods(name: Annotated[str, Positional] = "", /) -> None:
    """List the methods, or say everything about one.

    Parameters
    ----------
    name
        A method's name; without it all are listed.
    """
    from selfsight.cards import card_lines, list_lines
    from selfsight.display import print_out

    print_out("\n".join(card_lines(name) if name else list_lines()))
