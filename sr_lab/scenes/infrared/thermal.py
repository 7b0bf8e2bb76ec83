"""A thermal frame: one channel of grey levels, sensor counts or temperatures, as its file holds them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float64

from sr_lab.errors import UserError
from sr_lab.io.images import Picture, read_image

Kind = Literal["grey", "counts", "centikelvin"]

CENTIKELVIN = "_ck"  # end of the names of radiometric files, whose levels are hundredths of a kelvin
UNEQUAL = 2 / 255  # difference of colours, in [0, 1], that lossy storage of grey may leave


@dataclass(frozen=True, eq=False)
class Thermal:
    """One frame.

    Args:
        levels: the file's own numbers, whole.
        kind: `grey`: 8-bit levels after the camera's gain control; `counts`: 16-bit sensor values; `centikelvin`:
            temperatures in hundredths of a kelvin.
        channels: of the file, 1 or 3 equal ones.
        picture: as it was read.
    """

    levels: Float64[np.ndarray, "h w"]
    kind: Kind
    channels: int
    picture: Picture

    @property
    def unit(self) -> str:
        """Of a level, or of what it stands for."""
        return {"grey": "grey levels", "counts": "counts", "centikelvin": "K"}[self.kind]

    @property
    def per_unit(self) -> float:
        """Levels that make one of these units."""
        return 100.0 if self.kind == "centikelvin" else 1.0


def read_thermal(path: str | Path) -> Thermal:
    """Read a frame from PNG, TIFF, JPEG, BMP or WebP.

    Args:
        path: 8 or 16 bits; one channel, or three equal ones. Names that end in `_cK` hold hundredths of a kelvin.

    Raises:
        UserError: as `read_image`; false colours, or transparent parts.
    """
    path = Path(path)
    picture = read_image(path)
    if picture.alpha is not None and picture.alpha.min() < 1:
        raise UserError(
            "the frame has transparent parts", where=str(path), fix="export it without an overlay"
        )
    if np.ptp(picture.pixels, axis=2).max() > UNEQUAL:
        raise UserError(
            "the frame is in false colour, and a palette does not tell temperatures",
            where=str(path),
            fix="export it in grey (white hot) or as a radiometric TIFF, without scale bar and logo",
        )
    levels = np.rint(picture.pixels[..., 0].astype(np.float64) * (2**picture.bits - 1))
    kind: Kind = "grey"
    if picture.bits == 16:
        kind = "centikelvin" if path.stem.lower().endswith(CENTIKELVIN) else "counts"
    return Thermal(levels, kind, picture.pixels.shape[2], picture)
