"""Helpers that the two notebooks, the command line and the tests share.

Importing this package loads nothing heavy: each name below is fetched from its module when it is
first used, so that ``import cellcount as cc`` takes milliseconds.
"""

from importlib import import_module
from typing import Any

_HOME_OF = {
    "CellCountError": "errors",
    "microalgae": "public_photos",
}

__all__ = [*_HOME_OF, "bridge"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name in _HOME_OF:
        return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    try:
        return import_module(f"{__name__}.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"{__name__}.{name}":
            raise
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None


def __dir__() -> list[str]:
    return sorted(__all__)
