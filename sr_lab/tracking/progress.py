"""Progress on long work: a rich bar on a terminal, a line now and then in a log."""

import sys

from pytorch_lightning.callbacks import Callback, RichProgressBar, TQDMProgressBar


def progress_bar() -> Callback:
    """Rich on a terminal; a plain bar that rarely refreshes where output goes to a file."""
    return RichProgressBar(leave=True) if sys.stderr.isatty() else TQDMProgressBar(refresh_rate=500)
