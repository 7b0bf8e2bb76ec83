"""Taking a checkpoint into a weights folder: what kind it is, and the command that made it."""

import shlex
import shutil
from pathlib import Path

from sr_lab.errors import UserError
from sr_lab.weights.store import Checkpoint, Entry, read_checkpoint, register, sha256, user_folder


def ship(run: Path, name: str, licence: str, notes: str, folder: Path | None = None) -> str:
    """Take the weights of a finished training run into a weights folder, with the command that made them.

    Args:
        run: run directory with `weights.pt` and `result.json`.
        name: by which configs will refer to it.
        licence: SPDX identifier.
        notes: training data and figures.
        folder: default the user's; the package's own for weights that ship.
    """
    from sr_lab.tracking.record import Record
    from sr_lab.training import WEIGHTS

    record = Record.read(run)
    source = run / WEIGHTS
    kind, described = recognise(read_checkpoint(source), str(source))
    folder = folder or user_folder()
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{name}.pt"
    shutil.copyfile(source, target)
    command = shlex.join(
        word for word in shlex.split(record.command) if not word.startswith(("out=", "tracking="))
    )
    register(folder, Entry(name, target.name, sha256(target), licence, command, kind, notes or described))
    return f"{name}: {described}, {target}"


def recognise(checkpoint: Checkpoint, where: str) -> tuple[str, str]:
    """Kind and a one-line description of a checkpoint, loaded strictly to be sure.

    Raises:
        UserError: none of the kinds we know.
    """
    from sr_lab.backbones.kernel_net import kernel_net_from
    from sr_lab.backbones.latent_diffusion import LatentDiffusion, diffusion_from
    from sr_lab.backbones.trained import is_image_to_image, network_from
    from sr_lab.backbones.usrnet import usrnet_from
    from sr_lab.degradation.factors import named
    from sr_lab.priors.flow import flow_from, scale_of

    if "kernel_size" in checkpoint.state:
        flow = flow_from(checkpoint, where)
        count = sum(p.numel() for p in flow.parameters())
        scale = f" at x{scale}" if (scale := scale_of(checkpoint, flow)) else ""
        learned = len(checkpoint.architecture.get("learned_from", ()))
        own = f", learned from {learned} kernels of your own" if learned else ""
        return "fkp", f"FKP flow for {flow.side}x{flow.side} kernels{scale}, {count:,} parameters{own}"
    if any(key.startswith("p.m_") for key in checkpoint.state):
        net = usrnet_from(checkpoint, where)
        count = sum(p.numel() for p in net.parameters())
        return "usrnet", f"USRNet with {net.iterations} iterations, {count:,} parameters"
    if "attention.weight" in checkpoint.state:
        net = kernel_net_from(checkpoint, where)
        return "kernel_net", f"KernelNet, {sum(p.numel() for p in net.parameters()):,} parameters"
    if is_image_to_image(checkpoint):
        net = network_from(checkpoint, where)
        kind, count = net.architecture["kind"], sum(p.numel() for p in net.parameters())
        inner = net.architecture.get("network", net.architecture)
        what = (
            f"{inner['kind']} on {inner['channels']} eigenimages" if inner is not net.architecture else kind
        )
        bands = "" if net.channels is None else f" for {net.channels} bands"
        return kind, f"{what}{bands} at {named(net.factors)}, {count:,} parameters"
    if checkpoint.architecture.get("kind") == LatentDiffusion.kind:
        net = diffusion_from(checkpoint, where)
        count = sum(p.numel() for p in net.parameters())
        return (
            net.kind,
            f"residual-shift diffusion for {net.channels} channels at x{net.scale}, {count:,} parameters",
        )
    raise UserError(
        f"no network that is known here (first key '{next(iter(checkpoint.state))}')",
        where=where,
        fix="these kinds can be imported: FKP_x2/x3/x4.pt, usrnet_tiny.pth, ESSAformer's weights, and weights.pt "
        "of a training run",
    )
