"""Signature of a run: same signature and seed = same run."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sr_lab.config.paths import data_root

# what changes where, how fast or under whose eyes a run happens, but not what it computes
EXCLUDED = ("seed", "out", "force", "name", "tracking", "save_weights", "metrics", "allow_targets")
EXCLUDED_TRAINER = ("name", "accelerator", "devices", "num_nodes", "strategy", "threads", "workers")


def signature(config: Mapping[str, Any]) -> str:
    """10 hex digits of the resolved config without paths, trackers, launchers, seed and nulls.

    A null is an option that is off, so adding an option to the project leaves the signatures of old runs alone.
    """
    kept = {key: value for key, value in config.items() if key not in EXCLUDED}
    kept["trainer"] = {k: v for k, v in config.get("trainer", {}).items() if k not in EXCLUDED_TRAINER}
    text = json.dumps(_portable(kept), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def _portable(node: Any) -> Any:
    """Paths below the data folder relative to it, and weights by content: the same on every machine."""
    if isinstance(node, Mapping):
        return {
            str(key): _content_of(value) if key == "weights" else _portable(value)
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
