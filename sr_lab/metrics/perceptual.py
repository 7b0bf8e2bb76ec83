"""LPIPS, NIQE, MUSIQ and the other scores of pyiqa, an optional, non-commercial extra.

The network is never used. Weights are looked up in `hub/pyiqa` and `hub/checkpoints` of `$TORCH_HOME`
(default ~/.cache/torch) and in the Hugging Face cache. `psnr ssim ms_ssim cw_ssim fsim gmsd vif nlpd vsi
mad piqe` need none.
"""

import contextlib
import io
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from sr_lab.errors import UserError
from sr_lab.metrics.image import AnyImages, to_8bit

_INSTALL = "install it with: pip install 'sr-lab[pyiqa]' (licence: non-commercial)"
# Nothing listens there: a download fails at once instead of waiting for a network that may not exist.
_DEAD_PROXY = "http://127.0.0.1:9"


class MetricUnavailable(Exception):
    """A metric cannot be had on this machine or for these images; a note for the reader, no fault of the run.

    Args:
        reason: why, one line.
        fix: what would make it available, if anything.
    """

    def __init__(self, reason: str, fix: str = "") -> None:
        self.reason, self.fix = reason, fix
        super().__init__("; ".join(part for part in (reason, fix) if part))


@dataclass(frozen=True)
class PerceptualFacts:
    """What pyiqa says of a score: its direction, whether it compares with HR, and the pyiqa version."""

    higher_is_better: bool
    needs_hr: bool
    version: str


def facts(name: str) -> PerceptualFacts:
    """Facts of a pyiqa score; needs pyiqa, but none of its weights.

    Raises:
        MetricUnavailable: pyiqa is not installed.
        UserError: pyiqa has no score of this name for single images.
    """
    configs, version = _pyiqa()
    # FID and its kin compare sets of images, not one image with another.
    known = [key for key in configs if "fid" not in key and key != "inception_score"]
    if name not in known:
        near = get_close_matches(name, known, n=3)
        hint = f"did you mean {', '.join(near)}? " if near else ""
        raise UserError(
            f"pyiqa {version} has no image score called '{name}'",
            where="metrics",
            fix=f"{hint}known: {', '.join(sorted(known))}",
        )
    config = configs[name]
    return PerceptualFacts(
        higher_is_better=not config.get("lower_better", False),
        needs_hr=config.get("metric_mode") == "FR",
        version=version,
    )


def available(name: str, device: torch.device | str = "cpu") -> str | None:
    """Why a pyiqa score cannot be computed on this machine, one line, or None if it can.

    Raises:
        UserError: pyiqa has no such score.
    """
    try:
        facts(name)
    except MetricUnavailable as missing:
        return str(missing)
    model = _model(name, str(device))
    return str(model) if isinstance(model, MetricUnavailable) else None


def perceptual(name: str, sr: Float[Tensor, "b c h w"], hr: AnyImages | None = None) -> Float[Tensor, " b"]:
    """Score of a pyiqa metric, image by image, of the whole image as an 8-bit RGB file; float64.

    Args:
        name: pyiqa's own name, such as `lpips`, `niqe`, `musiq`.
        sr: restored images in [0, 1], 1 or 3 channels; grey counts as R = G = B.
        hr: ground truth of the same shape, for the scores whose `facts` ask for it.

    Raises:
        MetricUnavailable: pyiqa or weights are missing, HR is missing, or it cannot score such images.
        UserError: pyiqa has no such score.
    """
    needs_hr = facts(name).needs_hr
    if sr.shape[1] not in (1, 3) or (needs_hr and (hr is None or hr.shape != sr.shape)):
        raise MetricUnavailable(
            f"pyiqa:{name} takes images of 1 or 3 channels{' and an HR of the same size' if needs_hr else ''}"
        )
    model = _model(name, str(sr.device))
    if isinstance(model, MetricUnavailable):
        raise model
    pairs = (_one_by_one(sr), _one_by_one(hr)) if needs_hr and hr is not None else (_one_by_one(sr),)
    try:
        with _sealed(), torch.no_grad():
            scores = [model(*images).detach().double().reshape(()) for images in zip(*pairs, strict=True)]
    except (
        Exception
    ) as error:  # a foreign network refuses an image in its own ways: too small, out of memory, ...
        size = f"{sr.shape[-2]}x{sr.shape[-1]}"
        raise MetricUnavailable(f"pyiqa:{name} failed on a {size} image ({_line(error)})") from error
    return torch.stack(scores)


def _one_by_one(images: Tensor) -> tuple[Tensor, ...]:
    return to_8bit(images.detach().float()).expand(-1, 3, -1, -1).split(1)


def _pyiqa() -> tuple[dict[str, Any], str]:
    """The table of scores of pyiqa, and its version."""
    try:
        with _quiet():
            import pyiqa
            from pyiqa.default_model_configs import DEFAULT_CONFIGS
    except ImportError as error:
        if error.name == "pyiqa":
            raise MetricUnavailable("pyiqa is not installed", _INSTALL) from error
        raise MetricUnavailable(f"pyiqa cannot be imported ({_line(error)})", "reinstall it") from error
    return DEFAULT_CONFIGS, pyiqa.__version__


@lru_cache(maxsize=4)
def _model(name: str, device: str) -> Any:
    """The scoring network, or why there is none: both kept, so that not every image tries again."""
    with _quiet():
        import pyiqa
    try:
        # Networks are filled with random numbers before their weights are read.
        with _sealed(), torch.random.fork_rng(devices=[]):
            return pyiqa.create_metric(name, device=torch.device(device))
    except OSError:
        return MetricUnavailable(
            f"the weights of pyiqa:{name} are not on this machine",
            f"fetch them with: python -c \"import pyiqa; pyiqa.create_metric('{name}')\"",
        )
    except Exception as error:  # a missing module, a pickle that is no state dict, ...
        return MetricUnavailable(f"pyiqa:{name} cannot be set up ({_line(error)})")


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the chatter and the deprecation warnings of foreign code off the console."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def _sealed() -> Iterator[None]:
    """Quiet, without network, and weights read as tensors only (pyiqa itself would run their pickles)."""
    from huggingface_hub import constants

    names = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
    wanted = dict.fromkeys(names, _DEAD_PROXY)
    wanted |= {"no_proxy": "", "NO_PROXY": "", "TORCH_FORCE_WEIGHTS_ONLY_LOAD": "1"}
    before = {key: os.environ.get(key) for key in wanted}
    online = constants.HF_HUB_OFFLINE
    os.environ.update(wanted)
    # The environment variable of this name is read once, at import; without it timm retries for 50 s.
    constants.HF_HUB_OFFLINE = True
    try:
        with _quiet():
            yield
    finally:
        constants.HF_HUB_OFFLINE = online
        for key, value in before.items():
            if value is None:
                os.environ.pop(key, None)
            else:
                os.environ[key] = value
