"""Signature of a run: same signature and seed = same run."""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sr_lab.config.paths import data_root

# what changes where, how fast or under whose eyes a run happens, but not what it computes
EXCLUDED = (
    "seed",
    "out",
    "force",
    "name",
    "tracking",
    "save_weights",
    "save_arrays",
    "metrics",
    "allow_targets",
)
EXCLUDED_SCENE = ("view", "files", "upscale")
EXCLUDED_TRAINER = ("name", "accelerator", "devices", "num_nodes", "strategy", "threads", "workers")


def signature(config: Mapping[str, Any]) -> str:
    """10 hex digits of the resolved config without paths, trackers, launchers, seed and nulls.

    A null is an option that is off, so adding an option to the project leaves the signatures of old runs alone.
    """
    return _digest(json.dumps(_portable(_computed(config)), sort_keys=True))


def signature_across_seeds(config: Mapping[str, Any]) -> str | None:
    """What runs share whose values are named after their seed, such as weights `net_seed0`; None if none is."""
    text = json.dumps(_computed(config), sort_keys=True)
    name = re.compile(rf"seed{config['seed']}(?!\d)")
    return _digest(name.sub("seed", text)) if name.search(text) else None


def _computed(config: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in config.items() if key not in EXCLUDED}
    kept["trainer"] = {k: v for k, v in config.get("trainer", {}).items() if k not in EXCLUDED_TRAINER}
    kept["scene"] = {k: v for k, v in config.get("scene", {}).items() if k not in EXCLUDED_SCENE}
    return kept


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def _portable(node: Any) -> Any:
    """Paths below the data folder relative to it, weights and kernel files by content: the same anywhere."""
    if isinstance(node, Mapping):
        return {
            str(key): BY_CONTENT.get(str(key), _portable)(value)
            for key, value in node.items()
            if value is not None
        }
    if isinstance(node, list):
        return [_portable(item) for item in node]
    if isinstance(node, str) and node.startswith(str(data_root())):
        return "<data>" + node[len(str(data_root())) :]
    return node


def _content_of(weights: Any) -> Any:
    """sha256 of a checkpoint named in a config; its name if there is no such file, which the run will say."""
    from sr_lab.weights.store import all_entries, sha256

    entry = all_entries().get(str(weights))
    if entry is not None:
        return entry[1].sha256
    path = Path(str(weights)).expanduser()
    return sha256(path) if path.is_file() else weights


def _files_of(path: Any) -> Any:
    """sha256 over the names and contents of a kernel file or a folder of them; data sets stay as they are."""
    portable = _portable(path)
    if portable != path or not Path(str(path)).expanduser().exists():
        return portable
    root = Path(str(path)).expanduser()
    digest = hashlib.sha256()
    for file in sorted(root.iterdir()) if root.is_dir() else [root]:
        if file.is_file() and not file.name.startswith("."):
            digest.update(file.name.encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


BY_CONTENT = {"weights": _content_of, "path": _files_of}
