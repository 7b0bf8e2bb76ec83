"""The number of threads inside and after a region of one thread."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx

from sr_lab.backbones.ops.threads import on_one_thread, one_thread, waking_is_slow


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


class Watched(torch.autograd.Function):
    """Doubles, and notes the threads of both passes."""

    seen: list[int]

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor) -> Tensor:
        Watched.seen = [torch.get_num_threads()]
        return 2 * x

    @staticmethod
    def backward(ctx: FunctionCtx, *grads: Tensor) -> Tensor:
        Watched.seen.append(torch.get_num_threads())
        return 2 * grads[0]


def test_both_passes_run_on_one_thread_and_restore_the_number() -> None:
    x = torch.ones(3, requires_grad=True)
    y = on_one_thread(Watched.apply, x)
    assert torch.get_num_threads() == 2
    y.sum().backward()
    assert torch.get_num_threads() == 2
    assert Watched.seen == [1, 1]
    assert x.grad is not None
    torch.testing.assert_close(x.grad, torch.full((3,), 2.0))


def test_an_error_in_the_forward_pass_restores_the_number() -> None:
    def fail(_: Tensor) -> Tensor:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        on_one_thread(fail, torch.ones(3))
    assert torch.get_num_threads() == 2


def test_an_input_without_gradient_leaves_the_backward_pass_alone() -> None:
    weight = torch.ones(3, requires_grad=True)
    on_one_thread(lambda x: Watched.apply(x * weight), torch.ones(3)).sum().backward()
    assert Watched.seen == [1, 2]
    assert torch.get_num_threads() == 2


def test_the_context_restores_the_number_also_after_an_error() -> None:
    with one_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2
    with pytest.raises(ValueError, match="no"), one_thread():
        raise ValueError("no")
    assert torch.get_num_threads() == 2


def test_waking_is_slow_only_where_threads_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", "passive")
    assert waking_is_slow()
    monkeypatch.delenv("OMP_WAIT_POLICY")
    assert not waking_is_slow()
