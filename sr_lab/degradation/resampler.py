"""Decimation without a blur kernel, as four programs do it; they differ by 28 to 38 dB from each other."""

from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from sr_lab.degradation.resample import imresize

Resampler = Literal["matlab_bicubic", "pil_bicubic", "cv2_cubic", "area"]


def decimate(
    image: Float[Tensor, "b c hs ws"], scale: int, resampler: Resampler = "matlab_bicubic"
) -> Float[Tensor, "b c h w"]:
    """An image at 1/s of its size, about block centres; differentiable, neither clipped nor rounded.

    Args:
        image: sides that are multiples of s.
        scale: s.
        resampler: `matlab_bicubic`: antialiased, a = -0.5, mirrored edges. `pil_bicubic`: Pillow's, the same but for
            the edges, where it leaves taps out. `cv2_cubic`: OpenCV's INTER_CUBIC, a = -0.75 without antialiasing,
            which lets frequencies fold. `area`: the mean of each block, as OpenCV's INTER_AREA and a detector.
    """
    if resampler == "matlab_bicubic":
        return imresize(image, 1 / scale)
    if resampler == "area":
        return F.avg_pool2d(image, scale)
    size = [side // scale for side in image.shape[-2:]]
    antialias = resampler == "pil_bicubic"
    return F.interpolate(image, size=size, mode="bicubic", antialias=antialias, align_corners=False)


def decimate_files(
    image: Float[Tensor, "b c hs ws"], scale: int, resampler: Resampler = "matlab_bicubic"
) -> Float[Tensor, "b c h w"]:
    """As `decimate`, and of images that consist of 8-bit levels what Pillow makes of their files.

    It rounds to 8 bits between rows and columns, which changes a tenth of the pixels by a level.
    """
    levels = (image * 255).round()
    if resampler != "pil_bicubic" or not torch.equal(levels.clamp(0, 255) / 255, image):
        return decimate(image, scale, resampler)
    height, width = (side // scale for side in image.shape[-2:])
    planes = levels.to(torch.uint8).cpu().flatten(0, 1).numpy()
    shrunk = [
        np.asarray(Image.fromarray(plane).resize((width, height), Image.Resampling.BICUBIC))
        for plane in planes
    ]
    return (torch.from_numpy(np.stack(shrunk)).to(image) / 255).unflatten(0, image.shape[:2])
