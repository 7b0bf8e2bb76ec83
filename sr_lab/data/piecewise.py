"""Piecewise-constant radar scenes without speckle: what a blind method's kernel can be checked against."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from sr_lab.degradation.chain import keyed_generator
from sr_lab.errors import UserError


class PiecewiseScenes:
    """Rectangles at random places and angles, painted over each other: amplitudes, the square roots of reflectivity.

    Args:
        count: scenes.
        size: side, pixels.
        rectangles: a scene.
        sides: range of half a side, pixels; drawn uniformly, as are places and angles.
        low: dB of the darkest reflectivity, intensity over that of 1.0.
        high: dB of the brightest; drawn uniformly in between.
        seed: of all scenes.

    Raises:
        UserError: a scene without rectangles, or a range of decibels that is none.
    """

    def __init__(
        self,
        count: int,
        size: int = 256,
        rectangles: int = 60,
        sides: tuple[float | int, float | int] | list[float | int] = (8, 40),
        low: float | int = -10,
        high: float | int = 10,
        seed: int = 0,
    ) -> None:
        if min(count, size, rectangles) < 1 or not low < high:
            raise UserError(
                f"{count} scenes of {rectangles} rectangles from {low} to {high} dB",
                where="dataset.images",
                fix="use 1 or more of each, and low below high",
            )
        self.size, self.rectangles, self.sides = size, rectangles, (float(sides[0]), float(sides[1]))
        self.low, self.high, self.seed = low, high, seed
        self.ids = [f"scene{number}" for number in range(count)]

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> Float[Tensor, "1 h w"]:
        generator = keyed_generator(self.seed, self.ids[index], "scene")
        drawn = torch.rand(self.rectangles + 1, 6, generator=generator)
        decibels = self.low + (self.high - self.low) * drawn[:, 0]
        shortest, longest = self.sides
        half = shortest + (longest - shortest) * drawn[:, 1:3]
        place = torch.arange(self.size, dtype=torch.float32)
        scene = decibels[-1].expand(self.size, self.size).clone()
        for number in range(self.rectangles):
            y, x = place[:, None] - self.size * drawn[number, 3], place - self.size * drawn[number, 4]
            cos, sin = (f(math.pi * float(drawn[number, 5])) for f in (math.cos, math.sin))
            inside = ((cos * y + sin * x).abs() < half[number, 0]) & (
                (cos * x - sin * y).abs() < half[number, 1]
            )
            scene[inside] = decibels[number]
        return (10 ** (scene / 20))[None]
