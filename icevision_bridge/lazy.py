"""Stand-ins for modules and functions, which load the real ones when they are first touched.

They stand in ``sys.modules`` only while one module is being loaded, so only what is loaded in that
time holds them; whoever imports the name later gets the module itself.
"""

import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any


class _StandIn(ModuleType):
    """A module that is imported when one of its names is first asked for."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        package, _, module = name.rpartition(".")
        if not package:
            self.__spec__ = importlib.util.find_spec(name)
        elif isinstance(sys.modules.get(package), _StandIn):
            # ``import a.b as c`` asks a for b, which must not load a.
            setattr(sys.modules[package], module, self)
        # inspect asks every module there is for its file, which must not load them all.
        self.__file__ = self.__spec__.origin if self.__spec__ else None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._load(), name)

    def __dir__(self) -> list[str]:
        return dir(self._load())

    def _load(self) -> ModuleType:
        self._withdraw()
        return import_module(self.__name__)

    def _withdraw(self) -> None:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]


@contextmanager
def loaded_lazily(*names: str) -> Iterator[None]:
    """Let ``import`` of the modules ``names`` take stand-ins for as long as the block runs.

    Modules that are loaded already, or not installed, are left alone. A package is to stand before
    its modules.
    """
    stand_ins = []
    for name in names:
        if name not in sys.modules and importlib.util.find_spec(name.partition(".")[0]):
            sys.modules[name] = stand_in = _StandIn(name)
            stand_ins.append(stand_in)
    try:
        yield
    finally:
        for one in stand_ins:
            one._withdraw()


def called_lazily(module: str, name: str) -> Callable[..., Any]:
    """A function that calls the function or class ``name`` of ``module``, and loads it for that."""

    def call(*args: Any, **kwargs: Any) -> Any:
        return getattr(import_module(module), name)(*args, **kwargs)

    call.__name__ = call.__qualname__ = name
    return call
