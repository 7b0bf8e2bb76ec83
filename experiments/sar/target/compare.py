"""Target SR on point targets, on two close points, on points that are known, and on a crowded scene.

    python experiments/sar/target/compare.py

Writes compare.json and picture.png beside itself; about a minute of one core. LR is a cut of the band by `Bandcut`.
"""

import json
import math
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from sr_lab.config.paths import data_root
from sr_lab.data.radar import RadarImages
from sr_lab.data.sample import Sample
from sr_lab.degradation.band import in_band
from sr_lab.degradation.bandcut import Bandcut
from sr_lab.degradation.speckle import complex_noise
from sr_lab.io.complex import as_channels, as_complex
from sr_lab.methods.autofocus import AzimuthPhase, entropy, found_phase, without_phase
from sr_lab.methods.base import Method
from sr_lab.methods.scattering_centres import ScatteringCentres
from sr_lab.methods.sva import SVA
from sr_lab.methods.zero_pad import ZeroPad
from sr_lab.metrics.band import in_band_error, out_of_band_error
from sr_lab.metrics.point_target import Response, brightest, point_response
from sr_lab.scenes.sar.render import DecibelView

HERE = Path(__file__).parent
FINE = 32  # steps a pixel, of the places of peaks
WIDTH = 0.75  # of the band of the synthetic points
# chip: image, split's facts, [top, left, height, width], HR's band, scales
PALSAR, RADARSAT = [0.79, 0.86], [0.716, 0.932]
SIMULATED, CALIBRATION = [0.76, 0.81], [0.57, 0.82]
CHIPS: dict[str, tuple[str, list[int], list[float], str | None]] = {
    "palsar-reflector-vv": ("palsar-reflector-vv", [2, 1, 96, 48], PALSAR, "palsar-reflector-hh"),
    "simulated-target": ("simulated-target", [0, 0, 128, 128], SIMULATED, None),
    "simulated-20mhz, near": ("simulated-20mhz", [36, 0, 128, 128], CALIBRATION, "simulated-20mhz, mid"),
    "simulated-20mhz, mid": ("simulated-20mhz", [36, 1066, 128, 128], CALIBRATION, "simulated-20mhz, near"),
    "simulated-20mhz, far": ("simulated-20mhz", [36, 1779, 128, 128], CALIBRATION, "simulated-20mhz, mid"),
    "simulated-5mhz, mid": ("simulated-5mhz", [36, 219, 128, 128], CALIBRATION, None),
    "palsar-reflector-hh": ("palsar-reflector-hh", [2, 1, 96, 48], PALSAR, None),
}
TERMINALS = [546, 107, 96, 96]  # the brightest of the scene


def chip(image: str, crop: list[int], split: str = "test") -> Tensor:
    """A part of an image, its band about zero."""
    images = RadarImages(str(data_root() / "sar"), split, only=[image], crop=crop, unit=None)  # pyright: ignore[reportArgumentType]
    return images[0][None]


def restored(method: Method, lr: Tensor, scale: int) -> Tensor:
    """SR of one image."""
    method.bind(Bandcut(scale), 0)
    return method.restore(Sample(lr, scale, ["chip"])).sr


def peak(image: Tensor) -> tuple[float, float, float]:
    """Row, column and amplitude of the strongest point, between the pixels too."""
    place, values = [], []
    slc = as_complex(image)[0].to(torch.complex128)
    at = brightest(slc)
    for axis, line in enumerate((slc[:, at[1]], slc[at[0]])):
        near = torch.arange(-FINE, FINE + 1) / FINE + at[axis]
        n = len(line)
        k = torch.fft.fftfreq(n, 1 / n, dtype=torch.float64)
        value = (torch.exp(2j * math.pi * near[:, None] * k / n) @ torch.fft.fft(line) / n).abs()
        place.append(float(near[value.argmax()]))
        values.append(float(value.max()))
    return place[0], place[1], values[0] * values[1] / float(slc[at].abs())


def scores(sr: Tensor, hr: Tensor, cut: Bandcut) -> dict[str, float]:
    """What one row of the table holds; SR is scaled to HR by the known gain of the cut."""
    sr = sr / cut.gain
    truth, found = peak(hr), peak(sr)
    at = brightest(as_complex(hr)[0])
    responses: tuple[Response, Response] = point_response(as_complex(sr)[0], at)
    row = {
        "place_px": math.hypot(found[0] - truth[0], found[1] - truth[1]),
        "amplitude_db": 20 * math.log10(found[2] / truth[2]),
        "in_band_error": in_band_error(sr, hr, cut.inside).item(),
        "out_of_band_error": out_of_band_error(sr, hr, cut.inside).item(),
    }
    for axis, response in zip(("azimuth", "range"), responses, strict=True):
        row |= {f"irw_{axis}": response.width, f"pslr_{axis}": response.pslr, f"islr_{axis}": response.islr}
    return row


def point_targets(folder: Path) -> dict[str, dict[str, dict[str, float]]]:
    """Rows of every chip and scale; the gain is the width of zero_pad over that of SR."""
    table = {}
    for name, (image, crop, band, reflector) in CHIPS.items():
        hr = chip(image, crop)
        for scale in (2, 4):
            cut = Bandcut(scale, occupied=list(band))
            lr = cut(hr, None)
            methods: dict[str, Method] = {
                "zero_pad": ZeroPad(),
                "sva": SVA(list(band)),
                "centres, flat": ScatteringCentres(1, occupied=list(band)),
            }
            if reflector is not None:
                known = CHIPS[reflector]
                np.save(folder / "reflector.npy", as_complex(cut(chip(known[0], known[1]), None))[0].numpy())
                methods["centres, measured"] = ScatteringCentres(
                    1, occupied=list(band), irf=str(folder / "reflector.npy")
                )
            rows = {way: scores(restored(method, lr, scale), hr, cut) for way, method in methods.items()}
            for row in rows.values():
                for axis in ("azimuth", "range"):
                    row[f"gain_{axis}"] = rows["zero_pad"][f"irw_{axis}"] / row[f"irw_{axis}"]
            responses = point_response(as_complex(hr)[0])
            rows["HR"] = {
                f"{what}_{axis}": value
                for axis, response in zip(("azimuth", "range"), responses, strict=True)
                for what, value in zip(("irw", "pslr", "islr"), response, strict=True)
            }
            table[f"{name}, x{scale}"] = rows
    return table


def points(side: int, *terms: tuple[float, float, complex]) -> Tensor:
    """Points (row, column, value) through a flat band, peak 1."""
    k = in_band(side, WIDTH).double()
    x = torch.arange(side, dtype=torch.float64)[:, None]

    def line(at: float) -> Tensor:
        return torch.exp(2j * math.pi * k / side * (x - at)).mean(1)

    image = sum((value * line(row)[:, None] * line(column) for row, column, value in terms), torch.zeros(()))
    return as_channels(image[None].to(torch.complex64))


def two_points() -> dict[str, dict[str, float | None]]:
    """Least distance, in HR pixels, from which on two equal points of one row show a dip of 3 dB."""
    cut = Bandcut(2, occupied=[WIDTH, WIDTH])
    methods: dict[str, Method] = {
        "zero_pad": ZeroPad(),
        "sva": SVA([WIDTH, WIDTH]),
        "centres, 2 atoms": ScatteringCentres(2, occupied=[WIDTH, WIDTH]),
        "centres, 20 atoms": ScatteringCentres(20, occupied=[WIDTH, WIDTH]),
    }
    distances = [d / 4 for d in range(4, 33)]
    table: dict[str, dict[str, float | None]] = {way: {} for way in ("HR", *methods)}
    for turn, phase in ((0.0, 1), (0.25, 1j), (0.5, -1)):
        for snr in (None, 30):
            told: dict[str, list[bool]] = {way: [] for way in table}
            for d in distances:
                hr = points(96, (47.5, 47.5 - d / 2, 1), (47.5, 47.5 + d / 2, phase))
                lr = cut(hr, None)
                if snr is not None:
                    lr = as_channels(complex_noise(as_complex(lr), snr, torch.Generator().manual_seed(1))[0])
                images = {"HR": hr, **{way: restored(method, lr, 2) for way, method in methods.items()}}
                for way, image in images.items():
                    told[way].append(dip(image, d) >= 3)
            key = f"{turn * 360:.0f} degrees, {'no noise' if snr is None else f'{snr} dB'}"
            for way, seen in told.items():
                late = [i for i, one in enumerate(seen) if not one]
                first = late[-1] + 1 if late else 0
                table[way][key] = distances[first] if first < len(distances) else None
    return table


def dip(image: Tensor, d: float) -> float:
    """Power at the weaker of the two true places over the least between them, dB."""
    slc = as_complex(image)[0].to(torch.complex128)
    n = slc.shape[1]
    at = torch.linspace(47.5 - d / 2, 47.5 + d / 2, 65, dtype=torch.float64)
    k = torch.fft.fftfreq(n, 1 / n, dtype=torch.float64)
    rows = torch.fft.fft2(slc) * torch.exp(2j * math.pi * 47.5 * k / n)[:, None]
    line = torch.exp(2j * math.pi * at[:, None] * k / n) @ rows.sum(0)
    power = line.abs().square()
    return 10 * math.log10(float(min(power[0], power[-1]) / power.min().clamp_min(1e-30)))


def known_points() -> dict[str, float]:
    """Errors of places and amplitudes of five points a chip at known places, 4 or more HR pixels apart, 20 chips."""
    cut = Bandcut(2, occupied=[WIDTH, WIDTH])
    method = ScatteringCentres(5, residual=0.0, occupied=[WIDTH, WIDTH])
    random = np.random.default_rng(0)
    errors: list[tuple[float, float]] = []
    for number in range(20):
        truth: list[tuple[float, float, complex]] = []
        while len(truth) < 5:
            row, column = random.uniform(20, 76, 2)
            if all(math.hypot(row - r, column - c) >= 4 for r, c, _ in truth):
                value = random.uniform(0.3, 1) * np.exp(2j * np.pi * random.uniform())
                truth.append((float(row), float(column), complex(value)))
        lr, _ = complex_noise(
            as_complex(cut(points(96, *truth), None)), 20, torch.Generator().manual_seed(number)
        )
        spectrum, _, width = method.prepared(lr[0])
        found = method.centres(spectrum, width)
        # a pixel of LR lies at s i + (s-1)/2; a peak of 1 in HR fills the spectrum of LR evenly with this level
        places = 2 * found.place + 0.5
        level = cut.gain * (48 / len(in_band(96, WIDTH))) ** 2
        amplitudes = found.value.abs() / level
        for row, column, value in truth:
            distance = (places - torch.tensor([row, column], dtype=torch.float64)).norm(dim=1)
            near = int(distance.argmin())
            errors.append((float(distance[near]), 20 * math.log10(float(amplitudes[near]) / abs(value))))
    placed = [place for place, _ in errors]
    hits = [db for place, db in errors if place < 1]
    return {
        "points": len(errors),
        "within 1 px": len(hits) / len(errors),
        "median place error, px": float(np.median(placed)),
        "rms amplitude error of those, dB": float(np.sqrt(np.mean(np.square(hits)))),
    }


def crowded(scale: int = 2) -> dict[str, dict[str, float]]:
    """Errors on harbour terminals, and on the reflector beside them."""
    table = {}
    scenes: dict[str, tuple[Tensor, list[float]]] = {
        "terminals": (chip("radarsat1-1-terminals", TERMINALS, "train"), RADARSAT),
        "reflector": (chip("palsar-reflector-vv", CHIPS["palsar-reflector-vv"][1]), PALSAR),
    }
    for name, (hr, band) in scenes.items():
        cut = Bandcut(scale, occupied=list(band))
        lr = cut(hr, None)
        ways: dict[str, Method] = {"zero_pad": ZeroPad(), "sva": SVA(list(band))}
        for atoms in (1, 20, 120):
            ways[f"centres, {atoms}"] = ScatteringCentres(atoms, occupied=list(band))
        table[name] = {
            way: out_of_band_error(restored(method, lr, scale), hr, cut.inside).item()
            for way, method in ways.items()
        }
    return table


def autofocus() -> dict[str, dict[str, float]]:
    """A phase put on PALSAR's HH reflector is found and taken off; the reflector's own is found first."""
    image = as_complex(chip("palsar-reflector-hh", CHIPS["palsar-reflector-hh"][1]))[0].to(torch.complex128)
    own = found_phase(image, PALSAR[0])
    table = {}
    for quadratic, cubic in ((0.0, 0.0), (6.0, 0.0), (0.0, 4.0), (-8.0, 3.0)):
        blurred = without_phase(image, AzimuthPhase(-quadratic, -cubic), PALSAR[0])
        found = found_phase(blurred, PALSAR[0])
        focused = without_phase(blurred, found, PALSAR[0])
        table[f"{quadratic} + {cubic}"] = {
            "quadratic error": found.quadratic - quadratic - own.quadratic,
            "cubic error": found.cubic - cubic - own.cubic,
            "entropy, sharp": float(entropy(image)),
            "entropy, blurred": float(entropy(blurred)),
            "entropy, refocused": float(entropy(focused)),
            "irw, sharp": point_response(image)[0].width,
            "irw, blurred": point_response(blurred)[0].width,
            "irw, refocused": point_response(focused)[0].width,
        }
    return {"own phase": {"quadratic": own.quadratic, "cubic": own.cubic}, **table}


def picture() -> None:
    """HR, zero_pad, sva, centres: PALSAR's VV reflector above, the terminals below, 40 dB from black to white."""
    rows = []
    scenes: list[tuple[Tensor, list[float], int, float]] = [
        (chip("palsar-reflector-vv", [26, 1, 48, 48]), PALSAR, 1, 30.0),
        (chip("radarsat1-1-terminals", TERMINALS, "train"), RADARSAT, 20, 15.0),
    ]
    for hr, band, atoms, high in scenes:
        cut = Bandcut(2, occupied=list(band))
        ways = (ZeroPad(), SVA(list(band)), ScatteringCentres(atoms, occupied=list(band)))
        images = [hr, *(restored(way, cut(hr, None), 2) / cut.gain for way in ways)]
        view = DecibelView(high - 40, high)
        parts = [view(image[0].numpy(), hr[0].numpy(), {})[..., 0] for image in images]
        bigger = 192 // hr.shape[-1]
        parts = [np.kron(part, np.ones((bigger, bigger))) for part in parts]
        rows.append(np.hstack([np.pad(part, ((0, 6), (0, 6)), constant_values=1) for part in parts]))
    grey = np.vstack(rows)
    Image.fromarray((255 * grey).round().astype(np.uint8)).save(HERE / "picture.png", optimize=True)


def main() -> None:
    """All tables."""
    with tempfile.TemporaryDirectory() as folder:
        targets = point_targets(Path(folder))
    made: dict[str, Callable[[], object]] = {
        "two points, HR px": two_points,
        "known points": known_points,
        "out_of_band_error, x2": crowded,
        "autofocus": autofocus,
    }
    tables = {"point targets": targets, **{name: make() for name, make in made.items()}}
    text = json.dumps(tables, indent=1, default=float)
    (HERE / "compare.json").write_text(rounded(text) + "\n", encoding="utf-8")
    picture()


def rounded(text: str) -> str:
    """Figures of a JSON text to four decimals."""
    return json.dumps(json.loads(text, parse_float=lambda one: round(float(one), 4)), indent=1)


if __name__ == "__main__":
    main()
