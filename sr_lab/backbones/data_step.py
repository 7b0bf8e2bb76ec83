"""The closed-form data step of unfolded SR: the proximal point of ||(k conv x) decimated - y||^2."""

import torch
import torch.nn.functional as F
from jaxtyping import Complex, Float
from torch import Tensor

from sr_lab.errors import UserError


def transfer_function(
    kernel: Float[Tensor, "b 1 k k"], height: int, width: int
) -> Complex[Tensor, "b 1 h wr"]:
    """Real FFT of a correlation kernel on an h x w circular grid, its window centre at the origin.

    The kernel is the one `blur_decimate` correlates with; conjugation makes the correlation.
    """
    k = kernel.shape[-1]
    if min(height, width) < k:
        raise UserError(
            f"a {height}x{width} SR image is smaller than its {k}x{k} kernel",
            fix="use a larger image or a smaller kernel",
        )
    grid = F.pad(kernel, (0, width - k, 0, height - k))
    return torch.fft.rfft2(torch.roll(grid, (-(k // 2), -(k // 2)), (-2, -1))).conj()


class DataStep:
    """argmin_x ||S B x - y||^2 + alpha ||x - x0||^2 under a circular boundary, for one LR image and kernel.

    With r = y - S B x0 the solution is x0 + B^T S^T (S B B^T S^T + alpha)^-1 r, and S B B^T S^T is circulant
    on the LR grid: its eigenvalues are the mean of |H|^2 over the s x s aliases. Same point as USRNet's
    equation (11), without its division by alpha and with two HR transforms a call.

    Args:
        lr: observed image y.
        kernel: correlation kernel of the blur B.
        scale: decimation s of S, phase 0.
    """

    def __init__(self, lr: Float[Tensor, "b c h w"], kernel: Float[Tensor, "b 1 k k"], scale: int) -> None:
        self.lr, self.scale = lr, scale
        self.size = (lr.shape[-2] * scale, lr.shape[-1] * scale)
        self.transfer = transfer_function(kernel, *self.size)
        # mean of |H|^2 over aliases = every s-th sample of the blur's autocorrelation
        autocorrelation = torch.fft.irfft2(self.transfer.abs() ** 2, s=self.size)
        self.power = torch.fft.fft2(autocorrelation[..., ::scale, ::scale]).real

    def blur(self, image: Float[Tensor, "b c hs ws"]) -> Float[Tensor, "b c h w"]:
        """S B x."""
        blurred = torch.fft.irfft2(self.transfer * torch.fft.rfft2(image), s=self.size)
        return blurred[..., :: self.scale, :: self.scale]

    def __call__(
        self, start: Float[Tensor, "b c hs ws"], alpha: Float[Tensor, "b 1 1 1"]
    ) -> Float[Tensor, "b c hs ws"]:
        """The proximal point of x0 = `start`; a larger alpha stays nearer to it."""
        residual = torch.fft.fft2(self.lr - self.blur(start)) / (self.power + alpha)
        tiled = residual.repeat(1, 1, self.scale, self.scale)[..., : self.size[1] // 2 + 1]
        return start + torch.fft.irfft2(self.transfer.conj() * tiled, s=self.size)
