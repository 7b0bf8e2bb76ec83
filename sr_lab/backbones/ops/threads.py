"""Small layers on one CPU thread: waking a sleeping second one takes longer than their arithmetic."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx


class _SetThreads(torch.autograd.Function):
    """Pass a tensor on; when the backward pass comes by, set the number of threads."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor, threads: int) -> Tensor:
        ctx.threads = threads  # type: ignore[attr-defined]
        return x.view_as(x)

    @staticmethod
    def backward(ctx: FunctionCtx, *grads: Tensor) -> tuple[Tensor, None]:
        torch.set_num_threads(ctx.threads)  # type: ignore[attr-defined]
        return grads[0], None


@contextmanager
def one_thread() -> Iterator[None]:
    """One CPU thread for what runs inside, as for an Adam step over a hundred small tensors."""
    threads = torch.get_num_threads()
    if threads == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def waking_is_slow() -> bool:
    """Whether idle threads sleep, so that each parallel region pays tens of microseconds for waking them."""
    return os.environ.get("OMP_WAIT_POLICY", "").upper() == "PASSIVE"


def one_thread_if_waking_is_slow() -> AbstractContextManager[None]:
    """`one_thread` where idle threads sleep, nothing where they spin."""
    return one_thread() if waking_is_slow() else nullcontext()


def on_one_thread(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """`function(x)`, forward and backward on one thread of the CPU; the number of threads is restored after each.

    Only a backward pass that stops inside, by an error or because nobody asked for the gradient of x, leaves
    the calling thread with one.
    """
    threads = torch.get_num_threads()
    with one_thread():
        if threads == 1 or not x.requires_grad:
            return function(x)
        return _SetThreads.apply(function(_SetThreads.apply(x, threads)), 1)
