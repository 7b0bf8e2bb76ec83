"""Sample: a batch of same-size images on its way through a method."""

from dataclasses import dataclass, field, fields, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass
class Sample:
    """LR images and what is known of them.

    Args:
        lr: float32 in the scene's normalised range.
        scale: s.
        image_ids: one per image.
        hr: ground truth, or None; of `sar` it may be complex (two channels) where LR is detected (one).
        kernel: true correlation kernels, or None.
        noise_level: standard deviation of the LR noise.
        meta: what the dataset knows of an image beside its pixels (wavelengths, ...), by image id.
        band_kernels: true kernels of every band, where they differ; `kernel` is then their mean.
        grey: the one channel that kernels are estimated on, in [0, 1], where those of `lr` are not colours; None:
            their luminance.
    """

    lr: Float[Tensor, "b c h w"]
    scale: int
    image_ids: list[str]
    hr: Float[Tensor, "b c2 hs ws"] | None = None
    kernel: Float[Tensor, "b 1 k k"] | None = None
    noise_level: Float[Tensor, " b"] | None = None
    meta: dict[str, Any] = field(default_factory=dict)
    grey: Float[Tensor, "b 1 h w"] | None = None
    band_kernels: Float[Tensor, "b c k k"] | None = None

    def __len__(self) -> int:
        return len(self.lr)

    @property
    def for_kernels(self) -> Float[Tensor, "b c h w"]:
        """The images that kernels are estimated on."""
        return self.lr if self.grey is None else self.grey

    def to(self, device: torch.device | str, non_blocking: bool = False) -> "Sample":
        """The same sample with its tensors on a device."""
        moved = {
            f.name: value.to(device, non_blocking=non_blocking)
            for f in fields(self)
            if isinstance(value := getattr(self, f.name), Tensor)
        }
        return replace(self, **moved)


def collate(samples: list[Sample]) -> Sample:
    """Stack samples of one size, scale and kernel size."""
    first = samples[0]
    if len(samples) == 1:
        return first

    def stack(name: str) -> Tensor | None:
        values = [getattr(sample, name) for sample in samples]
        return None if any(value is None for value in values) else torch.cat(values)

    return replace(
        first,
        image_ids=[image_id for sample in samples for image_id in sample.image_ids],
        meta={key: value for sample in samples for key, value in sample.meta.items()},
        **{name: stack(name) for name in ("lr", "hr", "kernel", "noise_level", "grey", "band_kernels")},
    )


@dataclass
class Restored:
    """What a method returns.

    Args:
        sr: restored images in the scene's normalised range (not clipped).
        kernel: estimated correlation kernels, or None for methods without one.
        trace: one dict per recorded iteration: `iteration`, `loss`, and figures per image as lists.
        seconds: wall time of the restoration, for the whole batch.
        stages: further outputs by name, such as the image prior's own image before a non-blind step.
        band_kernels: estimated kernels of every band, where they differ; `kernel` is then their mean.
        uncertainty: standard deviation of the logarithm of each kernel's variance, where the prior knows it.
    """

    sr: Float[Tensor, "b c hs ws"]
    kernel: Float[Tensor, "b 1 k k"] | None = None
    trace: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0
    stages: dict[str, Float[Tensor, "b c hs ws"]] = field(default_factory=dict)
    uncertainty: Float[Tensor, " b"] | None = None
    band_kernels: Float[Tensor, "b c k k"] | None = None
