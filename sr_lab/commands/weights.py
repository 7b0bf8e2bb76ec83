"""`sr-lab weights`: what checkpoints there are, and bringing published ones in."""

import shlex
import shutil
from pathlib import Path

from sr_lab.errors import UserError

# file names under which the papers' authors published, with the licence of their repository
PUBLISHED = {
    "FKP_x2.pt": ("fkp_x2_published", "Apache-2.0", "JingyunLiang/FKP"),
    "FKP_x3.pt": ("fkp_x3_published", "Apache-2.0", "JingyunLiang/FKP"),
    "FKP_x4.pt": ("fkp_x4_published", "Apache-2.0", "JingyunLiang/FKP"),
    "usrnet_tiny.pth": ("usrnet_tiny_published", "Apache-2.0", "JingyunLiang/FKP, after cszn/USRNet"),
}


def list_weights() -> str:
    """A table of all checkpoints: name, kind, licence, size, sha256, where it comes from."""
    from rich.console import Console
    from rich.table import Table

    from sr_lab.weights.store import SHIPPED, all_entries

    table = Table(box=None, pad_edge=False)
    for column in ("name", "kind", "licence", "size", "sha256", "kept in", "source"):
        table.add_column(column, overflow="fold")
    for name, (folder, entry) in sorted(all_entries().items()):
        path = folder / entry.file
        size = f"{path.stat().st_size / 1024:.0f} kB" if path.exists() else "missing"
        where = "package" if folder == SHIPPED else str(folder)
        table.add_row(name, entry.kind, entry.licence, size, entry.sha256[:12], where, entry.source)
    console = Console(width=max(120, Console().width))
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def import_weights(
    files: list[Path], name: str | None = None, licence: str | None = None, notes: str = ""
) -> list[str]:
    """Check foreign checkpoints strictly and take them into the user's weights folder.

    Args:
        files: .pt or .pth files of plain tensors.
        name: by which configs will refer to it (one file only); default: by the published file's name.
        licence: SPDX identifier, if the file is not one we know.
        notes: anything to remember.

    Returns:
        one line per file.

    Raises:
        UserError: unsafe pickle, not an FKP flow or USRNet, or no name.
    """
    from sr_lab.weights.store import (
        Checkpoint,
        Entry,
        read_checkpoint,
        register,
        save_checkpoint,
        sha256,
        user_folder,
    )

    if name and len(files) > 1:
        raise UserError(
            "--name goes with one file", where="weights import", fix="import the files one by one"
        )
    lines = []
    for file in files:
        if not file.is_file():
            raise UserError("no such file", where=str(file), fix="give the path of a .pt or .pth file")
        checkpoint = read_checkpoint(file)
        kind, described = _recognise(checkpoint, str(file))
        known = PUBLISHED.get(file.name, (None, None, None))
        chosen = name or known[0] or file.stem
        folder = user_folder()
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / f"{chosen}.pt"
        save_checkpoint(target, Checkpoint(checkpoint.state, checkpoint.architecture))
        entry = Entry(
            name=chosen,
            file=target.name,
            sha256=sha256(target),
            licence=licence or known[1] or "unknown",
            source=f"imported from {file.name} (sha256 {sha256(file)[:12]}{f', {known[2]}' if known[2] else ''})",
            kind=kind,
            notes=notes or described,
        )
        register(folder, entry)
        lines.append(f"{chosen}: {described}, licence {entry.licence}, kept in {target}")
    return lines


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
    from sr_lab.weights.store import Entry, read_checkpoint, register, sha256, user_folder

    record = Record.read(run)
    source = run / WEIGHTS
    kind, described = _recognise(read_checkpoint(source), str(source))
    folder = folder or user_folder()
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{name}.pt"
    shutil.copyfile(source, target)
    command = shlex.join(
        word for word in shlex.split(record.command) if not word.startswith(("out=", "tracking="))
    )
    register(folder, Entry(name, target.name, sha256(target), licence, command, kind, notes or described))
    return f"{name}: {described}, {target}"


def _recognise(checkpoint: object, where: str) -> tuple[str, str]:
    """Kind and a one-line description of a checkpoint, loaded strictly to be sure.

    Raises:
        UserError: none of the kinds we know.
    """
    from sr_lab.backbones.kernel_net import kernel_net_from
    from sr_lab.backbones.usrnet import usrnet_from
    from sr_lab.priors.flow import KernelFlow
    from sr_lab.weights.store import Checkpoint

    assert isinstance(checkpoint, Checkpoint)
    if "kernel_size" in checkpoint.state:
        flow = KernelFlow.from_state_dict(checkpoint.state, where)
        count = sum(p.numel() for p in flow.parameters())
        return "fkp", f"FKP flow for {flow.side}x{flow.side} kernels, {count:,} parameters"
    if any(key.startswith("p.m_") for key in checkpoint.state):
        net = usrnet_from(checkpoint, where)
        count = sum(p.numel() for p in net.parameters())
        return "usrnet", f"USRNet with {net.iterations} iterations, {count:,} parameters"
    if "attention.weight" in checkpoint.state:
        net = kernel_net_from(checkpoint, where)
        return "kernel_net", f"KernelNet, {sum(p.numel() for p in net.parameters()):,} parameters"
    raise UserError(
        f"neither an FKP flow nor a USRNet (first key '{next(iter(checkpoint.state))}')",
        where=where,
        fix="these kinds can be imported: FKP_x2/x3/x4.pt, usrnet_tiny.pth, and weights.pt of a training run",
    )
