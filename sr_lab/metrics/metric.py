"""What is known of a metric, and what measuring a batch gives."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from torch import Tensor

Need = Literal[
    "sr", "hr", "kernel", "true_kernel", "band_kernels", "true_band_kernels", "lr", "again", "gain", "inside"
]


@dataclass(frozen=True)
class Metric:
    """Facts of a metric.

    Args:
        higher_is_better: its direction.
        unit: `dB`, `px` and the like, or nothing.
        needs: what it is computed from, in the order that `measure` takes it.
        scenes: the scenes it is meant for.
        protocol: the line for a table, given the scale.
        measure: scale and the needed tensors to one value per image.
        remark: the needed tensors to what must be known of these images' values, or nothing.
    """

    higher_is_better: bool
    unit: str
    needs: tuple[Need, ...]
    scenes: tuple[str, ...]
    protocol: Callable[[int], str]
    measure: Callable[..., Tensor]
    remark: Callable[..., str] = lambda *tensors: ""


@dataclass(frozen=True)
class Measured:
    """Values of one metric, one per image; PSNR of equal images is `inf`, which JSON cannot hold."""

    values: list[float]
    protocol: str
    higher_is_better: bool
    unit: str


@dataclass(frozen=True)
class Evaluation:
    """The values of a batch by metric name; notes on what cannot be had here, remarks on what a value leaves out."""

    measured: dict[str, Measured] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
