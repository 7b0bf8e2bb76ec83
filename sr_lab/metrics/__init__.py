"""How good a restoration is: pure functions, the protocol they follow, and a table of their facts."""

from sr_lab.metrics.protocol import Protocol
from sr_lab.metrics.table import METRICS, Evaluation, Measured, check_names, evaluate

__all__ = ["METRICS", "Evaluation", "Measured", "Protocol", "check_names", "evaluate"]
