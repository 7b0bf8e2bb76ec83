"""A method on images whose stripes are taken off first, alone and as a run chooses it."""

import pytest
import torch

from sr_lab.backbones.residual import ResidualNet
from sr_lab.config.compose import compose, to_plain
from sr_lab.config.schema import validate, without_unused
from sr_lab.data.sample import Restored, Sample
from sr_lab.degradation.chain import Degradation
from sr_lab.degradation.resample import imresize
from sr_lab.errors import UserError
from sr_lab.methods.base import Method
from sr_lab.methods.destriped import Destriped
from sr_lab.methods.fit_feedforward import FitFeedforward
from sr_lab.run import method_of


class Bicubic(Method):
    def restore(self, sample: Sample) -> Restored:
        return Restored(imresize(sample.lr, sample.scale))


def test_the_inner_method_sees_no_stripes() -> None:
    random = torch.Generator().manual_seed(0)
    scene = imresize(torch.rand(1, 1, 6, 4, generator=random), 16)
    levels = 0.05 * torch.randn(1, 1, 1, 64, generator=random)
    method = Destriped(Bicubic())
    degradation = Degradation(2, None, anchor="block_center")
    method.bind(degradation, 3)
    assert method.method.degradation is degradation
    assert method.method.seed == 3

    def away(lr: torch.Tensor) -> float:
        return float((method.restore(Sample(lr, 2, ["a"])).sr - imresize(scene, 2)).square().mean())

    assert away(scene + levels) < 0.2 * float((imresize(levels.expand_as(scene), 2)).square().mean())
    assert away(scene) < 1e-5


def test_a_scene_chooses_it() -> None:
    chosen = ["scene=infrared", "scene.destripe=columns", "experiment=bicubic", "dataset=infrared_test"]
    settings = validate(without_unused(to_plain(compose(chosen))))
    assert isinstance(method_of(settings, {}), Destriped)


def test_training_is_told_another_way() -> None:
    with pytest.raises(UserError, match="column_stripes"):
        Destriped(FitFeedforward(ResidualNet(1, 8, 1, 2), 1, {"l1": 1.0}))
