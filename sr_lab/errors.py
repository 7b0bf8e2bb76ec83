"""The error a user sees: what is wrong, where, and what to do about it."""

from __future__ import annotations


class UserError(Exception):
    """Bad input from outside; the command line prints it as one paragraph and exits with code 2.

    Args:
        what: the fault, with the offending value.
        where: file, config path or option it was found in.
        fix: what to do next.
    """

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        self.what, self.where, self.fix = what, where, fix
        parts = [f"{where}: {what}" if where else what, fix]
        super().__init__(
            " ".join(part if part.endswith(("...", ".", "?")) else f"{part}." for part in parts if part)
        )
