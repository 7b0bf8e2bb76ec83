"""Target SR by scattering centres: the few points that explain the band are drawn with s times the band."""

import time

import torch
from jaxtyping import Complex
from torch import Tensor

from sr_lab.data.sample import Restored, Sample
from sr_lab.degradation.band import Pair, chip_band, hamming, in_band, shifted_band
from sr_lab.errors import UserError
from sr_lab.io.complex import as_channels, as_complex
from sr_lab.methods.autofocus import found_phase, without_phase
from sr_lab.methods.base import Method
from sr_lab.methods.impulse_response import ImpulseResponse, divided
from sr_lab.methods.matching_pursuit import Centres, pursued, waves
from sr_lab.scenes.sar.files import read_radar


class ScatteringCentres(Method):
    """Orthogonal matching pursuit in LR's band, and a synthesis over s times the band; for chips of 32 to 128 px.

    Inside the band the result is what was measured, outside it what the centres say there. That recovers isolated
    point targets. On extended targets, as cars and buildings, it looks sharp and is wrong: `out_of_band_error` above 1
    says so.

    Args:
        atoms: most centres of an image.
        residual: share of the band's energy that may stay unexplained; the search stops there.
        occupied: width of LR's band in azimuth and range about zero, cycles per pixel; None: width and centre are
            measured on each LR image, and the result is as far off the centre.
        taper: generalised Hamming weights of LR's band in azimuth and range, which are divided out; None: flat.
        irf: response that centres are drawn with: `flat`, or a file with a corner reflector seen by LR's sensor,
            whose spectrum is measured, divided out before the search, and carried on by linear prediction.
        motion: `stationary`, or `moderate`: the azimuth phase of a target that moved, up to the third degree, is
            found and taken off first; what stands still beside it is defocused.

    Source: the steps that Lee and Lee 2023 (Sensors 23(13) 5893) name in their abstract, reconstructed. Their third
    class, complex motion, is not here.
    """

    def __init__(
        self,
        atoms: int = 20,
        residual: float = 0.02,
        occupied: list[float | int] | None = None,
        taper: list[float | int] | None = None,
        irf: str = "flat",
        motion: str = "stationary",
    ) -> None:
        super().__init__()
        for name, pair in (("occupied", occupied), ("taper", taper)):
            if pair is not None and (len(pair) != 2 or not all(0 < one <= 1 for one in pair)):
                raise UserError(
                    f"{pair} is none", where=f"method.{name}", fix="give [azimuth, range], each in (0, 1]"
                )
        if atoms < 1 or not 0 <= residual < 1:
            raise UserError(
                f"{atoms} atoms and a residual of {residual}",
                where="method",
                fix="at least one atom, and a residual in [0, 1)",
            )
        if irf != "flat" and taper is not None:
            raise UserError(
                "a measured response holds the taper", where="method.taper", fix="leave taper=null beside irf"
            )
        if motion not in ("stationary", "moderate"):
            raise UserError(
                f"there is no motion '{motion}'", where="method.motion", fix="say stationary or moderate"
            )
        self.atoms, self.residual, self.occupied, self.taper = atoms, residual, occupied, taper
        self.moves = motion == "moderate"
        self.response = None if irf == "flat" else _measured(irf)

    def restore(self, sample: Sample) -> Restored:
        """Find the centres of each image and draw them.

        Raises:
            UserError: LR is detected.
        """
        started = time.perf_counter()
        restored = torch.stack([self._one(image, sample.scale) for image in as_complex(sample.lr)])
        return Restored(as_channels(restored), seconds=time.perf_counter() - started)

    def _one(self, image: Complex[Tensor, "h w"], scale: int) -> Complex[Tensor, "hs ws"]:
        spectrum, centre, width = self.prepared(image)
        wide = self._drawn(spectrum, self.centres(spectrum, width), width, scale)
        # outer edges aligned, as in `pad_band`
        ahead = torch.tensor([(scale - 1) / 2], dtype=torch.float64)
        shift = [waves(ahead, torch.fft.fftfreq(n, 1 / n, dtype=torch.float64), n)[0] for n in wide.shape]
        fine = scale**2 * torch.fft.ifft2(wide * shift[0][:, None] * shift[1])
        return shifted_band(fine, centre, 1 / scale).to(image.dtype)

    def prepared(self, image: Complex[Tensor, "h w"]) -> tuple[Complex[Tensor, "h w"], Pair, Pair]:
        """The spectrum about zero and refocused, the centre that it had, and the width of its band."""
        wide = image.to(torch.complex128)
        if self.occupied is None:
            wide, centre, width = _centred(wide)
        else:
            centre, width = (0.0, 0.0), (float(self.occupied[0]), float(self.occupied[1]))
        if self.moves:
            wide = without_phase(wide, found_phase(wide, width[0]), width[0])
        return torch.fft.fft2(wide), centre, width

    def centres(self, spectrum: Complex[Tensor, "h w"], width: Pair) -> Centres:
        """The scattering centres of a prepared spectrum.

        Args:
            spectrum: about zero.
            width: of its band in azimuth and range, cycles per pixel.
        """
        shape = (spectrum.shape[0], spectrum.shape[1])
        rows, columns = (in_band(n, one) for n, one in zip(shape, width, strict=True))
        inside = spectrum[rows][:, columns]
        if self.response is not None:
            weights = [self.response.at(axis, len(k)) for axis, k in enumerate((rows, columns))]
            inside = divided(inside, weights[0][:, None] * weights[1])
        elif self.taper is not None:
            flat = [
                hamming(k / (n * one), alpha).to(inside)
                for k, n, one, alpha in zip((rows, columns), shape, width, self.taper, strict=True)
            ]
            inside = divided(inside, flat[0][:, None] * flat[1])
        return pursued(inside, rows, columns, shape, self.atoms, self.residual)

    def _drawn(
        self, spectrum: Complex[Tensor, "h w"], centres: Centres, width: Pair, scale: int
    ) -> Complex[Tensor, "hs ws"]:
        """The spectrum of the centres over s times the band, and what was measured inside it."""
        size = (scale * spectrum.shape[0], scale * spectrum.shape[1])
        known = [in_band(n, one) for n, one in zip(spectrum.shape, width, strict=True)]
        drawn = [in_band(n, one) for n, one in zip(size, width, strict=True)]
        along, across = (
            waves(centres.place[:, axis], k, n)
            for axis, (k, n) in enumerate(zip(drawn, spectrum.shape, strict=True))
        )
        if self.response is not None:
            along = along * self.response.sharpened(0, len(known[0]), len(drawn[0]))
            across = across * self.response.sharpened(1, len(known[1]), len(drawn[1]))
        wide = spectrum.new_zeros(size)
        wide[drawn[0][:, None], drawn[1]] = torch.einsum("n,na,nr->ar", centres.value, along, across)
        wide[known[0][:, None], known[1]] = spectrum[known[0][:, None], known[1]]
        return wide


def _centred(image: Complex[Tensor, "h w"]) -> tuple[Complex[Tensor, "h w"], Pair, Pair]:
    """The image with its band about zero; centre and width of the band."""
    (azimuth, range_), width = chip_band(image)
    return shifted_band(image, (-azimuth, -range_)), (azimuth, range_), width


def _measured(path: str) -> ImpulseResponse:
    """The response that a reflector's chip shows."""
    chip = torch.from_numpy(read_radar(path, kind="slc").values)
    image, _, width = _centred(chip.to(torch.complex128))
    rows, columns = (in_band(n, one) for n, one in zip(image.shape, width, strict=True))
    return ImpulseResponse.of(torch.fft.fft2(image)[rows][:, columns], width)
