"""Typed schema of a composed config, validated once after composition."""

import inspect
import typing
from collections.abc import Mapping
from operator import attrgetter
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from sr_lab.config.build import ALLOWED, locate
from sr_lab.config.errors import listing, nearest
from sr_lab.errors import UserError

Component = dict[str, Any]
PARTS = ("dataset", "degradation", "prior", "start", "backbone", "solver")
INJECTED = ("prior", "start", "backbone", "solver", "degradation")
_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"  # of a folder or file


class Strict(BaseModel):
    """No unknown keys, no changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Model = TypeVar("Model", bound=BaseModel)


class UpscaleSettings(Strict):
    """What `sr-lab upscale` does where nothing else is said."""

    method: Literal["fast", "dip_fkp", "network", "bicubic"] = "fast"
    weights: str | None = None
    complex_weights: str | None = None
    destripe: Literal["columns"] | None = None


class SceneSettings(Strict):
    """An imaging modality."""

    name: str
    channels: int | None = Field(ge=1)  # None: any number
    components: int | None = Field(None, ge=1)
    destripe: Literal["columns"] | None = None
    rounding: Literal["floor", "round", "none"] | None = None
    view: Component | None = None
    files: Component | None = None
    upscale: UpscaleSettings = UpscaleSettings()


class DatasetSettings(Strict):
    """Images, and how they are drawn."""

    name: str
    images: Component
    seed: int = 1
    draws: int = Field(1, ge=1)
    batch_size: int = Field(1, ge=1)
    patch_size: int = Field(96, ge=8)
    patches_per_batch: int = Field(8, ge=1)
    one_image_batches: bool = False
    validation: Component | None = None
    test: Component | None = None


class TrainerSettings(Strict):
    """What the Lightning trainer and torch are told."""

    name: str
    accelerator: Literal["auto", "cpu", "gpu", "cuda", "mps"] = "auto"
    devices: int | Literal["auto"] = 1
    num_nodes: int = Field(1, ge=1)
    strategy: str = "auto"
    threads: int | None = Field(None, ge=1)
    precision: str = "32-true"
    max_epochs: int | None = None
    max_steps: int = -1
    batches_per_epoch: int = Field(500, ge=1)
    gradient_clip_val: float | None = None
    ema: float | None = Field(None, gt=0, lt=1)
    deterministic: bool = False
    workers: int = Field(0, ge=0)


class TrackingSettings(Strict):
    """wandb: a mirror of the record."""

    name: str
    mode: Literal["offline", "online", "disabled"]
    project: str = "sr_lab"
    entity: str | None = None
    group: str | None = None
    tags: list[str] = []


class Settings(Strict):
    """One whole run."""

    name: str = Field(pattern=_NAME)
    scale: int = Field(ge=1, le=16)
    seed: int = Field(ge=0)
    out: str
    force: bool = False
    save_weights: str | None = Field(None, pattern=_NAME)
    allow_targets: list[str] = []
    metrics: list[str]
    save_arrays: bool = False
    scene: SceneSettings
    dataset: DatasetSettings | None
    degradation: Component | None
    prior: Component | None
    start: Component | None
    backbone: Component | None
    solver: Component | None
    method: Component
    trainer: TrainerSettings
    tracking: TrackingSettings

    @property
    def allowed(self) -> tuple[str, ...]:
        """Prefixes that targets may have."""
        return (*ALLOWED, *self.allow_targets)


def without_unused(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config with null for every part that its method does not take: no label or signature claims it."""
    pruned = {key: value or None if key in PARTS else value for key, value in config.items()}
    allowed = (*ALLOWED, *(config.get("allow_targets") or []))
    method = locate(config["method"]["_target_"], "method", allowed)
    taken = inspect.signature(method).parameters
    for part in ("prior", "start", "backbone", "solver"):
        if part not in taken:
            pruned[part] = None
    if not getattr(method, "pictures", False):
        pruned["scene"] = {**config["scene"], "components": None}
    if not hasattr(method, "restore"):  # it learns from what it draws itself
        pruned |= {"dataset": None, "degradation": None}
    return pruned


def validate(config: Mapping[str, Any]) -> Settings:
    """Check a resolved config: types, every component's arguments, then the rules across fields.

    Raises:
        UserError: names the config path, the wrong value, what is allowed and the nearest match.
    """
    from sr_lab.config.rules import channels_known, check

    settings = parse(Settings, config)
    channels_known(settings)
    for path in (
        "degradation",
        "prior",
        "start",
        "backbone",
        "solver",
        "method",
        "scene.view",
        "scene.files",
    ):
        component = attrgetter(path)(settings)
        if component is not None:
            check_component(component, path, settings.allowed)
    if settings.dataset is not None:
        check_component(settings.dataset.images, "dataset.images", settings.allowed)
        for part in ("validation", "test"):
            component = getattr(settings.dataset, part)
            if component is not None:
                check_component(component, f"dataset.{part}", settings.allowed)
    check(settings)
    return settings


def check_component(node: Component, path: str, allowed: tuple[str, ...]) -> None:
    """Check a `_target_` node against the signature of its target, and the nodes inside it."""
    if "_target_" not in node:
        raise UserError(
            "a component needs a _target_", where=path, fix=f"for example {path}._target_=sr_lab...."
        )
    found = locate(node["_target_"], path, allowed)
    signature = inspect.signature(found)
    hints = typing.get_type_hints(found.__init__ if inspect.isclass(found) else found)
    arguments = {k: v for k, v in node.items() if k not in ("_target_", "_partial_", "_convert_", "name")}
    known = {name: p for name, p in signature.parameters.items() if p.kind is not p.VAR_KEYWORD}
    open_ended = len(known) < len(signature.parameters)
    for key in arguments:
        if key not in known and not open_ended:
            raise UserError(
                f"'{key}' is not an argument of {node['_target_']}" + nearest(key, known),
                where=f"{path}.{key}",
                fix=listing(name for name in known if name not in INJECTED),
            )
    if not node.get("_partial_"):
        missing = [
            name
            for name, p in known.items()
            if p.default is p.empty and name not in arguments and name not in INJECTED
        ]
        if missing:
            raise UserError(f"'{missing[0]}' is missing", where=path, fix=f"set {path}.{missing[0]}=...")
    for key, value in arguments.items():
        if isinstance(value, Mapping) and "_target_" in value:
            check_component(dict(value), f"{path}.{key}", allowed)
        elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
            for index, item in enumerate(value):
                check_component(dict(item), f"{path}.{key}[{index}]", allowed)
        elif key in hints:
            _check_value(hints[key], value, f"{path}.{key}")


def _check_value(hint: Any, value: Any, path: str) -> None:
    """Check one plain value against an annotation; annotations pydantic cannot read (tensors, protocols) pass."""
    try:
        adapter = TypeAdapter(hint)
    except Exception:  # pydantic raises several kinds for types without a schema
        return
    try:
        adapter.validate_python(value)
    except ValidationError as error:
        raise _worded(error, path) from error


def parse(model: type[Model], data: Mapping[str, Any], path: str = "") -> Model:
    """Check plain data against a model.

    Raises:
        UserError: the first fault, with its path below `path`.
    """
    try:
        return model.model_validate(dict(data))
    except ValidationError as error:
        raise _worded(error, path, model) from error


def _worded(error: ValidationError, path: str, model: type[BaseModel] | None = None) -> UserError:
    """The first fault of a pydantic error in our words."""
    first = error.errors()[0]
    where = ".".join(part for part in [path, *(str(item) for item in first["loc"])] if part)
    value = first.get("input")
    if first["type"] == "extra_forbidden":
        fields = _fields_at(model, first["loc"][:-1])
        return UserError(
            f"unknown key '{first['loc'][-1]}'" + nearest(first["loc"][-1], fields),
            where=where,
            fix=listing(fields),
        )
    if first["type"] == "missing":
        return UserError("a value is missing", where=where, fix=f"set {where}=...")
    if first["type"] == "literal_error":
        allowed = [
            item.strip(" '") for item in first.get("ctx", {})["expected"].replace(" or ", ", ").split(",")
        ]
        return UserError(
            f"'{value}' is not allowed" + nearest(value, allowed), where=where, fix=listing(allowed)
        )
    return UserError(
        f"{value!r} does not fit: {first['msg']}", where=where, fix="see the comment beside it in conf/"
    )


def _fields_at(model: type[BaseModel] | None, location: tuple[int | str, ...]) -> list[str]:
    for key in location:
        field = model.model_fields.get(str(key)) if model else None
        model = (
            next((t for t in _types(field.annotation) if issubclass(t, BaseModel)), None) if field else None
        )
    return list(model.model_fields) if model else []


def _types(annotation: Any) -> list[type]:
    return [t for t in (annotation, *typing.get_args(annotation)) if inspect.isclass(t)]
