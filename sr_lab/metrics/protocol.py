"""Protocol: what exactly two images are compared on, printed beside every figure."""

from dataclasses import dataclass
from typing import Literal

from sr_lab.errors import UserError

_COLOUR = {"y": "Y (BT.601 studio)", "rgb": "RGB", "none": "all channels"}


@dataclass(frozen=True)
class Protocol:
    """How images in [0, 1] become the values that a metric compares; the same steps for SR and HR.

    A grey image counts as R = G = B, so under `y` its value v becomes 16 + 219 v: one channel and three equal
    channels score the same, and PSNR is 1.32 dB above that of `rgb`.

    Args:
        colour: `y` takes 65.481 R + 128.553 G + 24.966 B + 16 (range 16..235, not rounded); `rgb` takes 1
            or 3 channels as they are; `none` takes any number of channels (bands).
        border: pixels left out along each side.
        rounding: `8bit` clips to [0, 1] and rounds to the grid of an 8-bit file, before the colour step.
        data_range: the value that 1.0 stands for, and the peak of PSNR and SSIM; 255 for `y` and for `8bit`.

    Raises:
        UserError: negative border, or a data range that the other fields rule out.
    """

    colour: Literal["y", "rgb", "none"]
    border: int
    rounding: Literal["8bit", "none"]
    data_range: float

    def __post_init__(self) -> None:
        if self.border < 0:
            raise UserError(f"border {self.border} is negative", where="metric protocol", fix="use 0 or more")
        of_files = self.colour == "y" or self.rounding == "8bit"
        if self.data_range != 255 if of_files else self.data_range <= 0:
            raise UserError(
                f"data range {self.data_range:g} does not go with colour '{self.colour}' and rounding "
                f"'{self.rounding}'",
                where="metric protocol",
                fix="use 255 with colour 'y' or rounding '8bit', else any positive number",
            )

    @classmethod
    def published(cls, scale: int) -> "Protocol":
        """What the FKP and DKP tables use: SR as an 8-bit file, Y, s pixels off each side, peak 255."""
        return cls("y", scale, "8bit", 255.0)

    @classmethod
    def rgb(cls, scale: int) -> "Protocol":
        """All three colours as 8-bit files, s pixels off each side, peak 255."""
        return cls("rgb", scale, "8bit", 255.0)

    def describe(self) -> str:
        """One line for a table, such as `Y (BT.601 studio), border 4, rounded to 8 bit, peak 255`."""
        rounding = "rounded to 8 bit" if self.rounding == "8bit" else "not rounded"
        return f"{_COLOUR[self.colour]}, border {self.border}, {rounding}, peak {self.data_range:g}"
