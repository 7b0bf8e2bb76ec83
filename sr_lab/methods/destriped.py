"""Any method on images whose column stripes are taken off first."""

from dataclasses import replace

from sr_lab.data.sample import Restored, Sample
from sr_lab.degradation.chain import Degradation
from sr_lab.errors import UserError
from sr_lab.methods.base import Method
from sr_lab.scenes.infrared.destripe import without_stripes


class Destriped(Method):
    """A method that never sees the stripes of thermal detectors.

    Args:
        method: restores what is left.

    Raises:
        UserError: the method is one that is trained.
    """

    def __init__(self, method: Method) -> None:
        super().__init__()
        if method.fits:
            raise UserError(
                "stripes are taken off before restoration, not in training",
                where="scene.destripe",
                fix="set scene.destripe=null, or train with degradation=column_stripes",
            )
        self.method = method

    def bind(self, degradation: Degradation, seed: int) -> None:
        """Tell the inner method as well."""
        super().bind(degradation, seed)
        self.method.bind(degradation, seed)

    def restore(self, sample: Sample) -> Restored:
        """Take the stripes off, and restore."""
        return self.method.restore(replace(sample, lr=without_stripes(sample.lr)))
