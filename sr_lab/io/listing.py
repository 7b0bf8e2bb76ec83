"""The files that a person means by files and folders."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from sr_lab.errors import UserError


def list_files(paths: Iterable[str | Path], suffixes: Sequence[str], kind: str) -> list[Path]:
    """Files as given, folders expanded.

    Folders are walked to the bottom in sorted order for files with one of the suffixes; what is hidden is skipped. A
    file named twice is listed once, where it came first.

    Args:
        paths: files and folders.
        suffixes: of files in folders, lower case.
        kind: what they are, for messages: `image`, `cube`, ...

    Raises:
        UserError: a path does not exist, or a folder holds no such file.
    """
    found: dict[Path, Path] = {}
    for path in map(Path, paths):
        files = [path]
        if path.is_dir():
            files = [file for file in sorted(path.rglob("*")) if _is_listed(file, path, suffixes)]
            if not files:
                fix = f"{kind}s end in {', '.join(suffixes)}"
                raise UserError(f"the folder holds no {kind}", where=str(path), fix=fix)
        elif not path.exists():
            raise UserError("no such file or folder", where=str(path), fix="check the path")
        for file in files:
            found.setdefault(file.resolve(), file)
    return list(found.values())


def _is_listed(file: Path, folder: Path, suffixes: Sequence[str]) -> bool:
    hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
    return not hidden and file.suffix.lower() in suffixes and file.is_file()
