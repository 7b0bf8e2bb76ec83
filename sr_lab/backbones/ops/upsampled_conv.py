"""A 3x3 convolution of a bilinearly doubled image for a quarter of the multiplications, exactly.

Doubling is zero-stuffing followed by the fixed filter f = [1, 3, 3, 1] / 4 on each axis, and filters commute. So
convolving the zero-stuffed image (a stride-2 transposed convolution: 9 products for each low-resolution pixel
instead of 36) and running f over the result gives the same output. What is left is the border: bilinear doubling
repeats the edge pixel, the convolution reflects about it. On one axis of n samples x_0 .. x_{n-1} the stuffed signal

    x_1 - x_0, x_0, 0, x_0, 0, x_1, 0, ..., x_{n-1}, 0, x_{n-1}, x_{n-2} - x_{n-1}

yields that very border, and the outer product of the two axes yields the corners. Its inner part (edge pixels
repeated) goes through the transposed convolution; the outermost lines reach only the outermost lines of the
convolved image, where they are added as one-dimensional convolutions.
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import FunctionCtx
from torch.nn import functional as F

_TAPS = (0.25, 0.75, 0.75, 0.25)
# U^T U / 2 for the doubling U of one axis, the edge sample repeated
_GRAM_TAPS = (3 / 16, 10 / 16, 3 / 16)
