"""The command-line application, to which every command's file adds itself."""

from cyclopts import App, Parameter

from selfsight import __version__

app = App(
    name="selfsight",
    help="From a folder of images to a self-supervised encoder and the evidence that it is good.",
    version=__version__,
    help_format="plaintext",
    suppress_keyboard_interrupt=False,  # what is saved, and how to go on, is for us to say
)

Positional = Parameter(show_default=False)
