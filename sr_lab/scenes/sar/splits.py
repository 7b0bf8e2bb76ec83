"""The split file of the radar images; how split files are read is the same for all scenes."""

from pathlib import Path

SPLITS = Path(__file__).with_name("splits.yaml")
