import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from sr_lab.degradation.blur import Boundary, blur_decimate
from sr_lab.errors import UserError

SCIPY_MODE: dict[Boundary, str] = {"circular": "wrap", "reflect": "mirror", "replicate": "nearest"}


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@given(
    boundary=st.sampled_from(list(SCIPY_MODE)),
    side=st.sampled_from([1, 3, 7]),
    stride=st.integers(1, 4),
    height=st.integers(7, 15),
    width=st.integers(7, 15),
    data=st.data(),
)
@settings(max_examples=50, deadline=None)
def test_every_image_is_correlated_with_its_own_kernel(
    boundary: Boundary, side: int, stride: int, height: int, width: int, data: st.DataObject
):
    phase = data.draw(st.integers(0, stride - 1))
    image, kernel = noise(2, 3, height, width), noise(2, 1, side, side, seed=1)
    ours = blur_decimate(image, kernel, stride, boundary=boundary, phase=phase)
    for b in range(2):
        for c in range(3):
            full = ndimage.correlate(
                image[b, c].numpy(), kernel[b, 0].numpy(), mode=SCIPY_MODE[boundary], origin=0
            )
            np.testing.assert_allclose(ours[b, c].numpy(), full[phase::stride, phase::stride], atol=1e-12)


def test_gradients_reach_image_and_kernel():
    image, kernel = noise(2, 2, 6, 6).requires_grad_(), noise(2, 1, 3, 3, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda x, k: blur_decimate(x, k, 2), (image, kernel))


def test_an_image_smaller_than_the_padding_is_refused():
    small = noise(1, 1, 8, 8)
    assert blur_decimate(small, noise(1, 1, 15, 15), 2).shape == (1, 1, 4, 4)
    with pytest.raises(UserError, match="8x8"):
        blur_decimate(small, noise(1, 1, 19, 19), 4)
    with pytest.raises(UserError, match="8x8"):  # reflection does not repeat the edge
        blur_decimate(small, noise(1, 1, 17, 17), 4, boundary="reflect")
    assert blur_decimate(small, noise(1, 1, 19, 19), 4, boundary="replicate").shape == (1, 1, 2, 2)


def test_several_kernels_an_image_equal_one_after_the_other() -> None:
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(2, 3, 24, 28, generator=generator)
    kernels = torch.rand(6, 1, 7, 7, generator=generator)
    together = blur_decimate(image, kernels, 2, boundary="reflect", phase=1)
    for index, kernel in enumerate(kernels):
        alone = blur_decimate(image[index // 3 :][:1], kernel[None], 2, boundary="reflect", phase=1)
        torch.testing.assert_close(together[index : index + 1], alone)
