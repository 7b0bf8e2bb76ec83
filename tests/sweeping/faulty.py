"""A method that goes wrong on demand, as a user's own package would hold it."""

import os
import time
from pathlib import Path

from sr_lab.data.sample import Restored, Sample
from sr_lab.degradation.chain import Degradation
from sr_lab.methods.interpolate import Interpolate


class Faulty(Interpolate):
    """Interpolates, best at quality 0.3; with seed 0 and while $FAULTS exists it first does what `fault` says."""

    def __init__(
        self, fault: str = "none", aligned: bool = True, quality: float = 0.0, pause: float = 0.0
    ) -> None:
        super().__init__(aligned)
        self.fault, self.quality, self.pause = fault, quality, pause

    def bind(self, degradation: Degradation, seed: int) -> None:
        self.seed = seed
        super().bind(degradation, seed)

    def restore(self, sample: Sample) -> Restored:
        marks = os.environ.get("MARKS")
        if marks:
            who = f"seed{self.seed}-rank{os.environ.get('RANK', '-')}"
            name = f"{self.fault}-q{self.quality:.6f}-{who}-{sample.image_ids[0]}"
            (Path(marks) / name).write_text(os.environ["SR_LAB_CONFIG_SHA256"])
        if self.seed == 0 and Path(os.environ.get("FAULTS", "/nowhere")).exists():
            if self.fault == "raise":
                raise ValueError("asked to fail")
            held = []
            while self.fault == "memory":
                held.append(b"x" * 2**26)
                time.sleep(0.05)
            while self.fault == "hang":
                time.sleep(0.1)
        time.sleep(self.pause)
        restored = super().restore(sample)
        restored.sr = restored.sr + abs(self.quality - 0.3)
        return restored
