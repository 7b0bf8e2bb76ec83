"""Signature of a run: same signature and seed = same run."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from sr_lab.config.paths import data_root

# what changes where, how fast or under whose eyes a run happens, but not what it computes
EXCLUDED = ("seed", "out", "force", "name", "tracking", "save_weights", "metrics", "allow_targets")
EXCLUDED_TRAINER = ("name", "accelerator", "devices", "num_nodes", "strategy", "threads", "workers")


def signature(config: Mapping[str, Any]) -> str:
    """10 hex digits of the resolved config without paths, trackers, launchers and seed."""
    kept = {key: value for key, value in config.items() if key not in EXCLUDED}
    kept["trainer"] = {k: v for k, v in config.get("trainer", {}).items() if k not in EXCLUDED_TRAINER}
    text = json.dumps(_without_data_root(kept), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def _without_data_root(node: Any) -> Any:
    """Paths below the data folder relative to it, so a signature travels between machines."""
    if isinstance(node, Mapping):
        return {str(key): _without_data_root(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_without_data_root(item) for item in node]
    if isinstance(node, str) and node.startswith(str(data_root())):
        return "<data>" + node[len(str(data_root())) :]
    return node
