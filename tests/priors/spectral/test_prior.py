"""The spectral prior on real photographs, and on images that tell nothing."""

from pathlib import Path

import numpy as np
import pytest
import torch

from sr_lab.backbones.kernel_net import Belief, KernelNet, kernel_net_from, load_kernel_net
from sr_lab.config.compose import compose, to_plain
from sr_lab.data.sample import Sample
from sr_lab.degradation.anchor import Anchor
from sr_lab.degradation.chain import Degradation
from sr_lab.degradation.corruptions import Quantise
from sr_lab.degradation.gaussian import GaussianKernels
from sr_lab.degradation.motion import LineMotion
from sr_lab.errors import UserError
from sr_lab.methods.fit_kernel_net import random_blurs
from sr_lab.metrics.kernel import kernel_psnr
from sr_lab.priors.spectral.family import Family
from sr_lab.priors.spectral.flow import FlowKernels
from sr_lab.priors.spectral.gaussian import GaussianBlurs, typical_shape
from sr_lab.priors.spectral.guess import detailed_windows, guess
from sr_lab.priors.spectral.line import LineMotions
from sr_lab.priors.spectral.luminance import luminance
from sr_lab.priors.spectral.prior import Spectral
from sr_lab.priors.spectral.shape import covariance, render
from sr_lab.run import run
from sr_lab.weights.store import Checkpoint


def photograph(side: int = 384) -> torch.Tensor:
    from skimage import data

    pixels = data.astronaut()[:side, 60 : 60 + side].astype(np.float32) / 255
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].contiguous()


def blurred(scale: int, seed: int = 0) -> tuple[Sample, Degradation]:
    degradation = Degradation(scale, GaussianKernels(scale), [Quantise("floor")])
    hr = photograph()[..., : 384 // scale * scale, : 384 // scale * scale]
    made = degradation.degrade(hr, torch.Generator().manual_seed(seed))
    return Sample(made.lr, scale, [f"astronaut{seed}"], hr, made.kernel), degradation


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_better_than_assuming_a_typical_kernel(scale: int) -> None:
    found, assumed = [], []
    for seed in range(3):
        sample, degradation = blurred(scale, seed)
        prior = Spectral()
        prior.start(sample, degradation, [])
        assert sample.kernel is not None
        found.append(kernel_psnr(prior.kernel(), sample.kernel).item())
        typical = render(typical_shape(scale)[None], scale, sample.kernel.shape[-1])
        assumed.append(kernel_psnr(typical, sample.kernel).item())
        assert prior.estimates[0].informed
    assert np.mean(found) > np.mean(assumed) + 4, (found, assumed)
    assert min(found) > 45


def test_each_part_works_alone() -> None:
    sample, degradation = blurred(4)
    for options in ({"weights": None, "temper": 0.1}, {"temper": 0.0}):
        prior = Spectral(**options)  # pyright: ignore[reportArgumentType]
        prior.start(sample, degradation, [])
        assert sample.kernel is not None
        assert kernel_psnr(prior.kernel(), sample.kernel).item() > 47
        assert (prior.estimates[0].noise is None) == (options["temper"] == 0)


def test_kernels_lie_at_the_anchor_of_the_degradation() -> None:
    kernels = []
    anchors: list[Anchor] = ["fkp", "block_center"]
    for anchor in anchors:
        sample, _ = blurred(2)
        prior = Spectral()
        prior.start(sample, Degradation(2, GaussianKernels(2, anchor=anchor), anchor=anchor), [])
        kernels.append(prior.kernel())
    torch.testing.assert_close(kernels[0], kernels[1].flip(-2, -1))


def pattern(name: str) -> torch.Tensor:
    """LR images that tell nothing of a blur, or next to nothing."""

    def noise(height: int, width: int) -> torch.Tensor:
        return torch.randn(height, width, generator=torch.Generator().manual_seed(0))

    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    grey = {
        "flat": torch.full((64, 64), 0.5),
        "white": torch.ones(64, 64),
        "not numbers": torch.full((64, 64), torch.nan),
        "8 pixels": 0.5 + 0.1 * noise(8, 8),
        "15 pixels": 0.5 + 0.1 * noise(40, 15),
        "checkerboard": (x + y) % 2,
        "stripes": (x // 4) % 2,
        "tone": 0.5 + 0.4 * torch.sin(0.9 * x),
        "gradient": x / 64,
        "faint noise": 0.5 + 0.01 * noise(64, 64),
        "noise": 0.5 + 0.1 * noise(64, 64),
    }[name]
    return grey[None, None]


@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("flat", "is flat"),
        ("white", "is flat"),
        ("not numbers", "not numbers"),
        ("8 pixels", "fewer than 16"),
        ("15 pixels", "fewer than 16"),
        ("checkerboard", "photographs do not have"),
        ("stripes", "photographs do not have"),
        ("tone", "photographs do not have"),
        ("gradient", "photographs do not have"),
        ("faint noise", "no blur of this family"),
    ],
)
def test_an_image_that_tells_nothing_gets_the_typical_kernel_and_a_warning(
    name: str, why: str, scale: int
) -> None:
    prior, size = Spectral(), 4 * scale + 3
    with pytest.warns(UserWarning, match=f"'dull' .*{why}.* typical kernel"):
        prior.start(Sample(pattern(name), scale, ["dull"]), Degradation(scale, GaussianKernels(scale)), [])
    assert not prior.estimates[0].informed
    torch.testing.assert_close(prior.kernel(), render(typical_shape(scale)[None], scale, size))


def test_doubt_is_said_and_reported() -> None:
    prior = Spectral()
    degradation = Degradation(2, GaussianKernels(2))
    with pytest.warns(UserWarning, match="'noise' shows little of its blur: the width is known to 31 %"):
        prior.start(Sample(pattern("noise"), 2, ["noise"]), degradation, [])
    assert prior.uncertainty().item() > 0.5
    sample, degradation = blurred(2)
    prior.start(sample, degradation, [])
    assert prior.uncertainty().item() < 0.1


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_any_number_of_channels_will_do(channels: int) -> None:
    sample, degradation = blurred(2)
    grey = luminance(sample.lr)
    kernels = []
    for lr in (grey, grey.repeat(1, channels, 1, 1)):
        prior = Spectral()
        prior.start(Sample(lr, 2, ["bands"]), degradation, [])
        kernels.append(prior.kernel())
    torch.testing.assert_close(kernels[0], kernels[1], rtol=0, atol=1e-5)


def test_saturated_pixels_do_no_harm() -> None:
    sample, degradation = blurred(2)
    prior = Spectral()
    prior.start(Sample((3 * sample.lr - 1).clamp(0, 1), 2, ["hard light"]), degradation, [])
    assert prior.kernel().isfinite().all()
    assert prior.estimates[0].informed


def test_a_turned_image_has_a_turned_blur() -> None:
    sample, _ = blurred(3)
    net = load_kernel_net("kernel_net")
    grey = luminance(sample.lr)
    upright, _ = guess(net, grey, 3)
    for turned, sign in ((grey.flip(-1), (1, 1, -1)), (torch.rot90(grey, 1, (-2, -1)), (1, -1, -1))):
        found, precision = guess(net, turned.contiguous(), 3)
        torch.testing.assert_close(
            found, upright * torch.tensor(sign, dtype=torch.float64), rtol=0, atol=1e-4
        )
        assert torch.linalg.eigvalsh(precision).min() > 0


def test_windows_of_a_large_image_are_few_and_detailed() -> None:
    image = torch.full((1, 1, 1000, 1300), 0.5)
    image[..., 400:500, 800:900] = torch.rand(100, 100)
    windows = detailed_windows(image, side=100, count=4)
    assert [tuple(w.shape[-2:]) for w in windows] == [(100, 100)] * 4
    assert windows[0].std() > 0.2


def test_belief_is_a_normal_density() -> None:
    factor = torch.tensor([[[2.0, 0, 0], [0.5, 1.0, 0], [0, -0.3, 3.0]]])
    belief = Belief(torch.tensor([[0.1, 0.2, -0.3]]), factor)
    truth = torch.tensor([[0.4, -0.1, 0.0]])
    normal = torch.distributions.MultivariateNormal(belief.mean, precision_matrix=factor @ factor.mT)
    constant = 1.5 * np.log(2 * np.pi)
    assert belief.nll(truth).item() + constant == pytest.approx(-normal.log_prob(truth).item(), rel=1e-5)


def test_contrast_and_brightness_do_not_count_for_edges() -> None:
    net = KernelNet(8, 1)
    with torch.no_grad():
        next(net.head.parameters())[:, -1] = 0  # the logarithm of the contrast itself
    image = torch.rand(1, 1, 32, 32)
    torch.testing.assert_close(net(image, 2).mean, net(0.5 * image + 0.2, 2).mean, rtol=1e-3, atol=1e-4)


def test_foreign_weights_are_refused() -> None:
    with pytest.raises(UserError, match="not a KernelNet"):
        kernel_net_from(Checkpoint({"attention.weight": torch.zeros(1)}), "here")


def test_random_blurs_are_what_they_say() -> None:
    kernels, shapes = random_blurs(200, 3, torch.Generator().manual_seed(0))
    matrix = covariance(shapes.double()) * 9
    variances = torch.linalg.eigvalsh(matrix)
    assert variances.min() >= 0.8 * 0.525 - 1e-6
    assert variances.max() <= 1.1 * 7.5 + 1e-6
    torch.testing.assert_close(kernels.sum((1, 2, 3)), torch.ones(200))
    # the published window cuts wide kernels off, so compare a narrow one
    narrow = int(variances[:, 1].argmin())
    psnr = kernel_psnr(kernels[narrow : narrow + 1], render(shapes[narrow : narrow + 1].double(), 3, 15))
    assert psnr.item() > 60


@pytest.mark.parametrize("family", [GaussianBlurs(), FlowKernels("fkp_x2")])
def test_caution_makes_kernels_narrower_by_their_own_uncertainty(family: Family) -> None:
    sample, degradation = blurred(2)
    variances, prior = [], Spectral(None, 0.1, 0.0, family)
    for caution in (0.0, 1.0):
        prior.caution = caution
        prior.start(sample, degradation, [])
        place = torch.arange(11) - 4.5
        variances.append((prior.kernel()[0, 0] * (place**2 + place[:, None] ** 2)).sum().item())
    drop = np.exp(-prior.estimates[0].log_variance_sd)
    assert variances[1] / variances[0] == pytest.approx(drop, rel=0.1)


def test_a_flow_finds_the_kernels_that_it_was_trained_on() -> None:
    sample, degradation = blurred(2)
    prior = Spectral(None, 0.1, 0.0, FlowKernels("fkp_x2"))
    prior.start(sample, degradation, [])
    assert sample.kernel is not None
    typical = render(typical_shape(2)[None], 2, 11)
    assert kernel_psnr(prior.kernel(), sample.kernel) > 5 + kernel_psnr(typical, sample.kernel)
    torch.testing.assert_close(prior.kernel().sum(), torch.tensor(1.0))


def test_motion_is_found_where_a_gaussian_blur_is_the_wrong_family() -> None:
    kernels = LineMotion(scale=4)
    degradation = Degradation(4, kernels, [Quantise("floor")])
    made = degradation.degrade(photograph(), torch.Generator().manual_seed(3))
    sample = Sample(made.lr, 4, ["astronaut"], kernel=made.kernel)
    assert made.kernel is not None
    priors = {"line": Spectral(None, 0.1, 0.0, LineMotions()), "gaussian": Spectral()}
    found = {}
    for name, prior in priors.items():
        prior.start(sample, degradation, [])
        found[name] = kernel_psnr(prior.kernel(), made.kernel).item()
    mean = kernels.sample(200, torch.Generator().manual_seed(0)).mean(0, keepdim=True)
    assert found["line"] > found["gaussian"] + 3
    assert found["line"] > kernel_psnr(mean, made.kernel).item() + 5


def test_what_does_not_go_together_is_said() -> None:
    with pytest.raises(UserError, match="Gaussian blurs and nothing else"):
        Spectral(family=LineMotions())
    with pytest.raises(UserError, match="neither the network nor the spectrum"):
        Spectral(weights=None, temper=0.0)
    sample, degradation = blurred(2)
    with pytest.raises(UserError, match="makes 19x19 kernels, the degradation 11x11"):
        Spectral(None, 0.1, 0.0, FlowKernels("fkp_x4")).start(sample, degradation, [])


@pytest.mark.parametrize("name", ["spectral", "spectral_line", "spectral_flow"])
def test_every_config_makes_a_whole_run(name: str, tmp_path: Path) -> None:
    overrides = ["experiment=fast", f"prior={name}", "dataset=skimage", "dataset.images.names=[astronaut]"]
    where = ["dataset.images.crop=[80,180,96,96]", "scale=2", f"out={tmp_path}", "metrics=[kernel_psnr]"]
    record, _ = run(to_plain(compose([*overrides, *where])))
    assert record is not None
    assert record.labels["prior"] == name
    assert 0 < record.metrics["kernel_uncertainty"].per_image["astronaut"] < 1
