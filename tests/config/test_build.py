"""`build` makes objects from allowed targets and from nothing else."""

import pytest

from sr_lab.config.build import build, locate
from sr_lab.errors import UserError

SOFTMAX = {"_target_": "sr_lab.priors.softmax.Softmax", "name": "label", "lr": 0.25}


def test_builds_and_drops_the_label() -> None:
    assert build(SOFTMAX).lr == 0.25


@pytest.mark.parametrize(
    "target",
    [
        "os.system",
        "builtins.eval",
        "torch.load",
        "torch.hub.load",
        "shutil.rmtree",
        "sr_lab.weights.store.torch.load",  # a foreign function under our name
        "sr_lab.weights.store.hashlib.sha256",
        "sr_labs.evil.run",
        "torch.nn.modules.module.warnings.warn",
    ],
)
def test_refuses_what_is_not_allowed(target: str) -> None:
    with pytest.raises(UserError):
        locate(target, "here")


def test_refuses_a_nested_target() -> None:
    with pytest.raises(UserError, match=r"os\.system"):
        build(
            {"_target_": "sr_lab.priors.softmax.Softmax", "lr": {"_target_": "os.system", "command": "true"}}
        )


def test_a_users_prefix_opens_the_list() -> None:
    assert locate("json.dumps", "here", ("sr_lab.", "json.")) is not None


def test_a_fault_inside_a_component_stays_readable() -> None:
    node = {"_target_": "sr_lab.degradation.gaussian.GaussianKernels", "scale": 2, "size": 4}
    with pytest.raises(UserError, match="kernel size of 4"):
        build(node)
