"""The stand-in for ``mmcv._ext``, the compiled half of mmcv 1.x.

mmcv's Python wrappers fetch their kernels by name from one module, ``mmcv._ext``, check that each
name is there when they are imported, allocate the outputs and call the kernel to fill them. Serving
those names is therefore the narrowest place to bridge: the wrappers, their checks, their autograd
functions and their ONNX symbols all stay mmcv's own.
"""

from collections.abc import Callable, Mapping
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, NoReturn

from icevision_bridge.errors import BridgeError

NAME = "mmcv._ext"


class MissingOpError(BridgeError):
    """A model called an mmcv operation that has no bridge; ``name`` is the kernel's name."""

    def __init__(self, name: str) -> None:
        """Name the kernel and what to do about it."""
        self.name = name
        super().__init__(
            f"This model needs mmcv's compiled operation {name!r}, which icevision_bridge does not "
            "bridge. Choose a model that does without it, or install an mmcv 1.x that was compiled "
            "for your torch (mmcv-full)."
        )


def _missing(name: str) -> Callable[..., NoReturn]:
    def refuse(*_args: Any, **_kwargs: Any) -> NoReturn:
        raise MissingOpError(name)

    refuse.__name__ = name
    return refuse


class Extension(ModuleType):
    """A module that has every kernel: the bridged ones work, any other raises when it is called."""

    def __init__(self, kernels: Mapping[str, Callable[..., Any]]) -> None:
        """Hold ``kernels``, by the names under which mmcv asks for them."""
        super().__init__(NAME, "mmcv's operations on torchvision and plain torch.")
        # importlib.util.find_spec, with which mmcv asks whether it was compiled, wants a spec.
        self.__spec__ = ModuleSpec(NAME, loader=None, origin="icevision_bridge.ops")
        vars(self).update(kernels)

    def __getattr__(self, name: str) -> Callable[..., NoReturn]:
        """Answer for any kernel, but not for the private names that import and inspect probe."""
        if name.startswith("_"):
            raise AttributeError(f"module {NAME!r} has no attribute {name!r}")
        return _missing(name)


def get_compiler_version() -> str:
    """What mmcv and mmdet print of it in the description of the environment."""
    return "none, icevision_bridge"


def get_compiling_cuda_version() -> str:
    """The same for CUDA, whose version is torch's."""
    return "none, icevision_bridge"
