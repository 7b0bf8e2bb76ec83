"""Rules that tie one part of a config to another."""

import inspect
import typing
from collections.abc import Callable

from sr_lab.config.build import locate
from sr_lab.config.errors import listing, nearest
from sr_lab.config.schema import Component, Settings
from sr_lab.errors import UserError


def check(settings: Settings) -> None:
    """Apply every rule.

    Raises:
        UserError: the first rule broken.
    """
    for rule in RULES:
        rule(settings)


def channels_known(settings: Settings) -> None:
    """A network that has a number of channels is told it; the first rule, without which its own message is obscure.

    Raises:
        UserError: the scene leaves the number open.
    """
    for path in ("backbone", "solver"):
        node = getattr(settings, path) or {}
        if "channels" in node and node["channels"] is None and settings.scene.channels is None:
            raise UserError(
                f"{path} '{node.get('name')}' needs a number of bands, and scene '{settings.scene.name}' has any",
                where="scene.channels",
                fix="set it, such as scene.channels=31: cubes then give as many, evenly spread",
            )


def _parameters(node: Component, settings: Settings, path: str) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(locate(node["_target_"], path, settings.allowed)).parameters)


def parts_present(settings: Settings) -> None:
    """A method gets the prior, backbone, solver and degradation that its constructor or class asks for."""
    parameters = _parameters(settings.method, settings, "method")
    method = locate(settings.method["_target_"], "method", settings.allowed)
    for part in ("prior", "backbone", "solver"):
        parameter = parameters.get(part)
        if parameter is not None and parameter.default is parameter.empty and getattr(settings, part) is None:
            raise UserError(
                f"method '{settings.method.get('name')}' needs a {part}, and {part} is null",
                where=part,
                fix=f"choose one, such as {part}={ {'prior': 'fkp', 'backbone': 'usrnet', 'solver': 'usrnet'}[part] }",
            )
    if hasattr(method, "restore"):
        for part in ("dataset", "degradation"):
            if getattr(settings, part) is None:
                raise UserError(
                    f"a run that restores needs a {part}", where=part, fix=f"choose one: {part}=..."
                )


def prior_suits_method(settings: Settings) -> None:
    """The prior that draws random kernels and the method that asks for them go together."""
    from sr_lab.priors.dkp import DKP

    method = locate(settings.method["_target_"], "method", settings.allowed)
    wanted = typing.get_type_hints(method.__init__).get("prior")
    if wanted is None or settings.prior is None:
        return
    prior = locate(settings.prior["_target_"], "prior", settings.allowed)
    draws = inspect.isclass(prior) and issubclass(prior, DKP)
    if draws != (wanted is DKP):
        raise UserError(
            f"method '{settings.method.get('name')}' "
            + (f"has no use for prior '{settings.prior.get('name')}'" if draws else "draws random kernels"),
            where="prior",
            fix="choose prior=dkp and method=dip_dkp together, as experiment=dip_dkp does",
        )


def one_scale(settings: Settings) -> None:
    """The root's scale, the degradation's and its kernels' are one."""
    degradation = settings.degradation
    if degradation is None:
        return
    kernels = degradation.get("kernels") or {}
    for path, value in (
        ("degradation.scale", degradation.get("scale")),
        ("degradation.kernels.scale", kernels.get("scale")),
    ):
        if value is not None and value != settings.scale:
            raise UserError(
                f"{value} differs from scale={settings.scale}",
                where=path,
                fix="set only the root's scale=...",
            )


def kernel_size(settings: Settings) -> None:
    """The window is odd, and wide enough for the anchor at this scale."""
    degradation = settings.degradation or {}
    size = (degradation.get("kernels") or {}).get("size")
    if size is None:
        return
    smallest = 2 * settings.scale + 1
    if size % 2 == 0 or size < smallest:
        default = min(4 * settings.scale + 3, 21)
        raise UserError(
            f"{size} does not fit scale x{settings.scale}",
            where="degradation.kernels.size",
            fix=f"allowed: odd, at least {smallest}; nearest {max(smallest, size + 1 - size % 2)}, default {default}",
        )


def backbone_channels(settings: Settings) -> None:
    """A network takes as many channels as the scene has, where that is said."""
    if settings.scene.channels is None:
        return
    for path in ("backbone", "solver"):
        node = getattr(settings, path) or {}
        value = node.get("channels")
        if isinstance(value, int) and value != settings.scene.channels:
            raise UserError(
                f"{value} channels, but scene '{settings.scene.name}' has {settings.scene.channels}",
                where=f"{path}.channels",
                fix=f"set {path}.channels=${{scene.channels}}",
            )


def served_scale(settings: Settings) -> None:
    """Prior and networks serve the scale."""
    for path in ("prior", "backbone", "solver"):
        node = getattr(settings, path)
        if node is None:
            continue
        target = locate(node["_target_"], path, settings.allowed)
        network = target if inspect.isclass(target) else typing.get_type_hints(target).get("return")
        scales = getattr(network, "scales", None)
        if scales and settings.scale not in scales:
            raise UserError(
                f"{path} '{node.get('name')}' does not serve scale x{settings.scale}",
                where="scale",
                fix=listing(scales) + nearest(settings.scale, scales),
            )


def metrics_for_scene(settings: Settings) -> None:
    """Only metrics that mean something for the scene; pyiqa's are up to the user."""
    from sr_lab.metrics.table import METRICS, check_names

    check_names(settings.metrics)
    scene = settings.scene.name
    fitting = [name for name, metric in METRICS.items() if scene in metric.scenes]
    for index, metric in enumerate(settings.metrics):
        if metric in METRICS and metric not in fitting:
            raise UserError(
                f"metric '{metric}' says nothing about scene '{scene}'" + nearest(metric, fitting),
                where=f"metrics[{index}]",
                fix=listing([*fitting, "pyiqa:<name>"]),
            )


def iterations_order(settings: Settings) -> None:
    """Switch points lie inside the schedule."""
    iterations, ssim = settings.method.get("iterations"), settings.method.get("ssim_iterations")
    if iterations is not None and ssim is not None and not 0 <= ssim <= iterations:
        raise UserError(
            f"{ssim} is outside 0..{iterations}",
            where="method.ssim_iterations",
            fix="it counts the first iterations, which use 1 - SSIM",
        )


def weights_to_save(settings: Settings) -> None:
    """Only a method that fits something leaves weights."""
    method = locate(settings.method["_target_"], "method", settings.allowed)
    if settings.save_weights and not getattr(method, "fits", False):
        raise UserError(
            f"method '{settings.method.get('name')}' fits nothing",
            where="save_weights",
            fix="leave it out, or train: experiment=train_fkp, train_fkp_files, train_usrnet, ...",
        )


RULES: tuple[Callable[[Settings], None], ...] = (
    parts_present,
    prior_suits_method,
    one_scale,
    kernel_size,
    backbone_channels,
    served_scale,
    metrics_for_scene,
    iterations_order,
    weights_to_save,
)
