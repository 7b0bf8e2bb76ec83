"""Linear prediction in plain NumPy: normal equations of the modified covariance method, sample by sample."""

from __future__ import annotations

import numpy as np


def modified_covariance(x: np.ndarray, order: int) -> np.ndarray:
    """a of x[n] ~ sum a[k] x[n-1-k], least forward and backward error."""
    count = len(x)
    matrix = np.zeros((order, order), complex)
    right = np.zeros(order, complex)
    for n in range(order, count):
        forward = np.array([x[n - 1 - k] for k in range(order)])
        backward = np.array([np.conj(x[n - order + 1 + k]) for k in range(order)])
        for past, present in ((forward, x[n]), (backward, np.conj(x[n - order]))):
            matrix += np.outer(past.conj(), past)
            right += past.conj() * present
    return np.linalg.solve(matrix, right)


def extended(x: np.ndarray, ahead: int, order: int) -> np.ndarray:
    """Both ends, with roots that grow brought onto the unit circle."""
    roots = np.roots(np.concatenate([[1], -modified_covariance(x, order)]))
    a = -np.poly([root / max(1, abs(root)) for root in roots])[1:]
    values = list(x)
    for _ in range(ahead):
        values.append(sum(a[k] * values[-1 - k] for k in range(order)))
    for _ in range(ahead):
        values.insert(0, sum(np.conj(a[k]) * values[k] for k in range(order)))
    return np.array(values)
