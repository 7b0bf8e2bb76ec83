"""`sr-lab kernels`: tables and contact sheets around kernel files and the flows that learn from them."""

from pathlib import Path

import numpy as np


def check(path: Path, *, scale: int, size: int | None, flip: bool, out: Path) -> tuple[str, bool]:
    """A table of all kernels, a contact sheet of them as they will be used, and whether all can be."""
    from sr_lab.degradation.kernel_files import mass_centre, place_kernels, width
    from sr_lab.io.kernels import contact_sheet, survey_kernels

    window, placed = place_kernels(path, scale=scale, size=size, flip=flip)
    rows = []
    for item, (_, raw) in zip(placed, survey_kernels(path, normalise=False, even=True), strict=True):
        if not isinstance(raw, np.ndarray):
            rows.append([item.name, "", "", "", "", f"REFUSED: {item.fault}"])
            continue
        row, column = mass_centre(raw)
        figures = [str(len(raw)), f"{raw.sum():.4g}", f"{row:.2f}, {column:.2f}", f"{width(raw):.2f}"]
        rows.append(
            [item.name, *figures, f"REFUSED: {item.fault}" if item.fault else _deeds(raw, item.kernel)]
        )
    usable = [(item.name, item.kernel) for item in placed if item.kernel is not None]
    lines = [_table(("name", "side", "sum", "centre of mass", "width", "what will be done"), rows)]
    lines.append(
        f"{len(usable)} of {len(placed)} kernels can be used, in a window of {window} px at x{scale}"
    )
    if usable:
        _write_picture(out, contact_sheet(usable))
        lines.append(f"contact sheet: {out}")
    return "\n".join(lines), len(usable) == len(placed)


def sample(name: str, *, count: int, seed: int, out: Path) -> str:
    """Draw kernels from a flow into a folder; the sheet lies beside it, where no one takes it for a kernel."""
    import torch

    from sr_lab.io.kernels import contact_sheet, write_kernel
    from sr_lab.priors.flow import flow_from
    from sr_lab.weights.store import load_weights

    flow = flow_from(load_weights(name), name)
    drawn = flow.sample(count, torch.Generator().manual_seed(seed))[:, 0].double().numpy()
    named = [(f"sample_{index:03d}", kernel) for index, kernel in enumerate(drawn)]
    for stem, kernel in named:
        write_kernel(out / f"{stem}.npy", kernel)
    sheet = out.with_name(f"{out.name}.png")
    _write_picture(sheet, contact_sheet(named))
    return f"{count} kernels of {flow.side}x{flow.side} px in {out}, contact sheet: {sheet}"


def evaluate(name: str, path: Path, *, flip: bool) -> str:
    """A table of what a flow, and the shipped one beside it, make of kernels."""
    from sr_lab.priors.reach import evaluate as judge

    rows, notes = [], []
    results = judge(name, path, flip=flip)
    for result in results:
        for label, wanted in (("not learned from", False), ("learned from", True)):
            some = [row for row in result.rows if row.learned is wanted]
            if some:
                psnr = np.array([row.psnr for row in some])
                worst = some[int(psnr.argmin())]
                rows.append(
                    [
                        result.flow,
                        f"{result.side}",
                        label,
                        f"{len(some)}",
                        f"{np.mean([row.nll for row in some]):.1f}",
                        f"{psnr.mean():.2f}",
                        f"{worst.psnr:.2f} ({worst.name})",
                        f"{np.mean([row.floor for row in some]):.2f}",
                    ]
                )
        if result.unfit:
            notes.append(f"do not fit {result.flow}'s {result.side} px: {', '.join(result.unfit)}")
    new = ", ".join(row.name for row in results[0].rows if not row.learned)
    notes.append(f"held out or new for {name}: {new or 'none'}")
    heads = ("flow", "window", "kernels", "count", "NLL", "nearest, dB", "worst, dB", "zero kernel, dB")
    notes.append(
        "NLL: nats per kernel, not comparable between flows. nearest: kernel PSNR on the flow's sphere."
    )
    return "\n".join([_table(heads, rows), *notes])


def _deeds(raw: np.ndarray, kernel: np.ndarray | None) -> str:
    """What becomes of a kernel, in words."""
    from sr_lab.degradation.kernel_files import mass_centre

    assert kernel is not None
    deeds = ["pad to odd"] if len(raw) % 2 == 0 else []
    if abs(raw.sum() - 1) > 1e-3:
        deeds.append("divide by the sum")
    if len(kernel) != len(raw):
        deeds.append(f"{'pad' if len(kernel) > len(raw) else 'crop'} to {len(kernel)}")
    odd = len(raw) + 1 - len(raw) % 2
    row, column = mass_centre(kernel) - mass_centre(raw) - (len(kernel) - odd) / 2
    if max(abs(row), abs(column)) > 0.05:
        deeds.append(f"move by {row:+.2f}, {column:+.2f} px")
    return ", ".join(deeds) or "nothing"


def _table(heads: tuple[str, ...], rows: list[list[str]]) -> str:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for head in heads:
        table.add_column(head, overflow="fold")
    for row in rows:
        table.add_row(*row)
    console = Console(width=max(120, Console().width))
    with console.capture() as capture:
        console.print(table)
    return capture.get().rstrip()


def _write_picture(path: Path, picture: np.ndarray) -> None:
    from sr_lab.io.images import write_image

    write_image(path, picture[..., None].astype(np.float32) / 255)
