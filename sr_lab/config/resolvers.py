"""OmegaConf resolvers, registered once per process by `register`."""

from omegaconf import OmegaConf

from sr_lab.config.paths import data_root


def register() -> None:
    """`${data:natural/set5}` is a path below the data folder; `${div:a,b}` a quotient. Safe to call again."""
    OmegaConf.register_new_resolver("data", lambda path: str(data_root() / path), replace=True)
    OmegaConf.register_new_resolver("div", lambda a, b: a / b, replace=True)
