"""`sr-lab weights`: what checkpoints there are, and bringing published ones in."""

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
    files: list[Path],
    name: str | None = None,
    licence: str | None = None,
    notes: str = "",
    pickled_module: bool = False,
) -> list[str]:
    """Check foreign checkpoints strictly and take them into the user's weights folder.

    Args:
        files: .pt or .pth files of plain tensors.
        name: by which configs will refer to it (one file only); default: by the published file's name.
        licence: SPDX identifier, if the file is not one we know.
        notes: anything to remember.
        pickled_module: the files hold whole modules instead; their tensors are taken, their code is not run.

    Returns:
        one line per file.

    Raises:
        UserError: unsafe pickle, or not the weights of a network that is known here.
    """
    from sr_lab.weights.keep import recognise
    from sr_lab.weights.pickled import read_pickled_module
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
        checkpoint = read_pickled_module(file) if pickled_module else read_checkpoint(file)
        kind, described = recognise(checkpoint, str(file))
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
