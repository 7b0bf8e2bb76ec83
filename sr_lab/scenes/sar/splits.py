"""The split file of the radar images; how it is read is in `sr_lab.data.splits`."""

from pathlib import Path

SPLITS = Path(__file__).with_name("splits.yaml")
