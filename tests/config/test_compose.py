"""Every YAML composes and validates; what is wrong is named with its path, value and nearest match."""

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from sr_lab.config.compose import compose, groups, to_plain
from sr_lab.config.paths import conf_dir
from sr_lab.config.schema import check_component, validate, without_unused
from sr_lab.errors import UserError

GROUPS = groups()
# choices that leave something to the user, and what the user would say
FILL = {
    ("dataset", "folder"): ["dataset.images.root=/tmp"],
    ("scene", "hyperspectral"): ["experiment=bicubic"],
    ("scene", "sar"): ["experiment=bicubic"],
    ("dataset", "cubes"): ["dataset.images.root=/tmp"],
    ("dataset", "frames"): ["dataset.images.root=/tmp"],
    ("dataset", "radar"): ["dataset.images.root=/tmp"],
    ("degradation", "kernel_files"): ["degradation.kernels.path=/tmp"],
    ("prior", "none"): ["method=interpolate"],
    ("prior", "dkp"): ["method=dip_dkp"],
    ("prior", "dkp_published"): ["method=dip_dkp"],
    **{("prior/kernels", kernels): ["experiment=dip_dkp"] for kernels in GROUPS["prior/kernels"]},
    ("backbone", "none"): ["method=non_blind", "prior=oracle"],
    ("dataset", "none"): ["method=fit_flow", "trainer.max_epochs=1"],
    ("prior", "file"): ["prior.path=/tmp/k.mat"],
    ("method", "non_blind"): ["prior=oracle"],
    ("method", "dip_dkp"): ["prior=dkp"],
    ("method", "fit_flow"): ["trainer.max_epochs=1"],
    ("method", "fit_flow_files"): ["trainer.max_epochs=1", "method.kernels.path=/tmp"],
    ("experiment", "train_fkp_files"): ["method.kernels.path=/tmp"],
    ("method", "supervised"): ["trainer.max_steps=1", "backbone=usrnet_untrained"],
    ("backbone", "trained"): ["backbone.weights=/tmp/net.pt", "method=feedforward"],
    ("experiment", "feedforward"): ["backbone.weights=/tmp/net.pt"],
    ("method", "feedforward"): ["backbone=trained", "backbone.weights=/tmp/net.pt"],
    ("method", "fit_feedforward"): ["trainer.max_steps=1", "backbone=residual"],
    ("backbone", "trained_diffusion"): ["backbone.weights=/tmp/net.pt", "method=diffusion"],
    ("backbone", "published_diffusion"): [
        *(
            "backbone.unet=/tmp/unet.pth",
            "backbone.autoencoder=/tmp/vq.pth",
            "method=diffusion",
            "scene=infrared",
        )
    ],
    ("experiment", "train_ir_diffusion_guided"): ["backbone.weights=/tmp/net.pt"],
    **{
        ("method/guidance", choice): ["experiment=train_ir_diffusion"] for choice in GROUPS["method/guidance"]
    },
    ("method", "fit_flow_optical"): ["trainer.max_epochs=1"],
    ("method", "fit_flow_sar"): ["trainer.max_epochs=1"],
    ("experiment", "diffusion"): ["backbone.weights=/tmp/net.pt"],
    ("experiment", "train_ir_diffusion_onestep"): ["backbone.weights=/tmp/net.pt"],
    ("method", "diffusion"): ["backbone=trained_diffusion", "backbone.weights=/tmp/net.pt"],
    ("method", "fit_diffusion"): ["trainer.max_steps=1", "backbone=latent_diffusion"],
    ("method", "distil_diffusion"): [
        *("trainer.max_steps=1", "backbone=trained_diffusion", "backbone.weights=/tmp/net.pt")
    ],
}
CHOICES = [(group, choice) for group, choices in GROUPS.items() for choice in choices]


@pytest.mark.parametrize(("group", "choice"), CHOICES)
def test_every_yaml_composes_and_validates(group: str, choice: str) -> None:
    overrides = [f"{group}={choice}", *FILL.get((group, choice), [])]
    config = compose(overrides)
    settings = validate(without_unused(to_plain(config)))
    node = getattr(settings, group, None)
    if group == "sweep":  # says how runs are started, so no run has it
        node = OmegaConf.to_container(config.sweep)
        assert isinstance(node, dict)
        node = {str(key): value for key, value in node.items()}
        check_component(node, group, ("sr_lab.sweep.",))
    name = node.get("name") if isinstance(node, dict) else getattr(node, "name", None)
    assert (
        group in ("experiment", "prior/kernels", "method/guidance", "sweep")
        or name == choice
        or choice == "none"
    ), "the label in a table is the file's name"


@pytest.mark.parametrize(("group", "choice"), CHOICES)
def test_every_key_has_a_comment_or_speaks_for_itself(group: str, choice: str) -> None:
    lines = (conf_dir() / group / f"{choice}.yaml").read_text().splitlines()
    assert any(line.startswith("# ") and "@package" not in line for line in lines[:2]), (
        "no line says what this is"
    )
    assert len(lines) <= 40


@pytest.mark.parametrize(
    ("overrides", "where", "said"),
    [
        (["experiment=smoke", "backbone=null"], "backbone", ["use backbone=none"]),
        (["experiment=dip_fpk"], "experiment", ["dip_fpk", "did you mean 'dip_fkp'"]),
        (["prior=fkpp"], "prior", ["fkpp", "did you mean 'fkp'", "double_dip"]),
        (["method.iteratons=3"], "method.iteratons", ["did you mean 'method.iterations'"]),
        (["methd.iterations=3"], "methd.iterations", ["did you mean 'method.iterations'"]),
        (
            ["degradation.anchor=block"],
            "degradation.anchor",
            ["'block'", "did you mean 'block_center'", "fkp"],
        ),
        (["degradation.boundary=wrap"], "degradation.boundary", ["'wrap'", "circular, reflect, replicate"]),
        (["degradation.kernels.size=8"], "degradation.kernels.size", ["8", "odd", "default 19"]),
        (["degradation.kernels.size=7"], "degradation.kernels.size", ["7", "at least 9"]),
        (["degradation.kernels.scale=2"], "degradation.kernels.scale", ["2", "scale=4"]),
        (["+degradation.kernels.sigma=2"], "degradation.kernels.sigma", ["'sigma'", "variance"]),
        (["metrics=[psnr_z]"], "metrics", ["psnr_z", "psnr_y"]),
        (["trainer.accelerator=gpuu"], "trainer.accelerator", ["did you mean 'gpu'"]),
        (
            ["scene.channels=1", "backbone=usrnet_untrained", "backbone.channels=3"],
            "backbone.channels",
            ["3 channels", "has 1"],
        ),
        (["scene=hyperspectral", "backbone=residual"], "scene.channels", ["'residual'", "scene.channels=31"]),
        (["scene=hyperspectral", "experiment=bicubic", "metrics=[psnr_y]"], "metrics[0]", ["psnr_band"]),
        (["metrics=[sam]"], "metrics[0]", ["'sam'", "natural"]),
        (["scale=8"], "scale", ["x8", "usrnet"]),
        (["experiment=kernelgan", "scale=3"], "scale", ["x3", "kernelgan", "2, 4"]),
        (["backbone=essaformer", "scale=5"], "scale", ["x5", "essaformer", "1, 2, 3, 4, 8"]),
        (["backbone=essaformer", "backbone.channels=31"], "backbone.channels", ["31 channels", "has 3"]),
        (
            ["backbone=essaformer", "backbone.attention=sined"],
            "backbone.attention",
            ["did you mean 'signed'"],
        ),
        (["backbone=residual_eigen", "backbone.network.depth=3"], "backbone.network.depth", ["blocks"]),
        (["scale=four"], "scale", ["four"]),
        (["prior.lr=fast"], "prior.lr", ["fast"]),
        (["prior=none"], "prior", ["needs a prior"]),
        (["prior=dkp"], "prior", ["'zero_shot' has no use", "experiment=dip_dkp"]),
        (["experiment=dip_dkp", "prior=fkp"], "prior", ["'dip_dkp' draws random kernels", "prior=dkp"]),
        (["experiment=dip_dkp", "prior/kernels=gausian"], "prior/kernels", ["did you mean 'gaussian'"]),
        (["prior/kernels=gaussian"], "prior/kernels", ["no such key"]),
        (["prior@start=spectal"], "prior@start", ["did you mean 'spectral'"]),
        (["prior@start=null"], "prior@start", ["prior@start=none"]),
        (["method.ssim_iterations=2000"], "method.ssim_iterations", ["2000", "0..1000"]),
        (["dataset=folder"], "dataset.images.root", ["issing"]),
        (["method._target_=os.system"], "method._target_", ["os.system", "allow-list"]),
        (["prior._target_=sr_lab.priors.fkp.FKPP"], "prior", ["did you mean 'FKP'"]),
        (["dataset=none"], "dataset", ["needs a dataset"]),
        (["name=../x"], "name", ["../x"]),
        (["save_weights=../x", "experiment=train_fkp"], "save_weights", ["../x"]),
        (["save_weights=x"], "save_weights", ["fits nothing", "train_fkp"]),
        (["tracking.mode=ofline"], "tracking.mode", ["did you mean 'offline'"]),
        (["scale"], "command line", ["key=value"]),
    ],
)
def test_a_fault_is_named(overrides: list[str], where: str, said: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        validate(without_unused(to_plain(compose(overrides))))
    assert caught.value.where.startswith(where), caught.value
    for words in said:
        assert words in str(caught.value)


def test_a_users_own_group_folder_is_found(tmp_path: Path) -> None:
    (tmp_path / "prior").mkdir()
    (tmp_path / "prior" / "mine.yaml").write_text(
        "name: mine\n_target_: sr_lab.priors.softmax.Softmax\nlr: 0.25\n"
    )
    assert compose(["prior=mine"], [str(tmp_path)]).prior.lr == 0.25
