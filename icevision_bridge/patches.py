"""How a patch of the bridge is written, hung into Python's import and reported.

A patch is a generator function that mends one break in one module of one library. What stands
before its ``yield`` runs just before that module is executed, what stands behind it just after, so
one function can lend a module something it needs to load and mend what it defines. The ``yield``
gives the module:

    @patch("yolov5.utils.general", library="yolov5-icevision", breaks="...", until="...")
    def pkg_resources_is_gone() -> Mending:
        with lend("pkg_resources", parse_version=Version):
            module = yield
        module.check_version = ...
"""

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType
from typing import Any

Mending = Generator[None, Any, None]
Mend = Callable[[], Mending]


@dataclass
class Patch:
    """One mended break.

    ``module`` is the module whose loading it surrounds, ``library`` the distribution whose
    installed version must satisfy ``versions`` for it to apply, ``breaks`` what goes wrong without
    it, ``until`` when it can be deleted. Without an ``optional`` one nothing but time is lost.
    """

    name: str
    module: str
    library: str
    versions: str
    breaks: str
    until: str
    mend: Mend
    optional: bool = False

    def applies(self) -> bool:
        """Whether the installed version of the library is one that breaks."""
        from packaging.specifiers import SpecifierSet

        try:
            return SpecifierSet(self.versions).contains(version(self.library), prereleases=True)
        except PackageNotFoundError:
            return False


PATCHES: list[Patch] = []
# What holds for the patches of a library that do not say otherwise: its versions, and until when.
_USUAL = {
    "icevision": ("", "IceVision is released again"),
    "mmcv": ("<2", "IceVision runs on mmcv 2"),
    "mmdet": ("<3", "IceVision runs on mmdet 3"),
}


def patch(
    module: str,
    *,
    library: str,
    breaks: str,
    until: str | None = None,
    versions: str | None = None,
    optional: bool = False,
) -> Callable[[Mend], Mend]:
    """Register the decorated generator function as the patch around ``module``."""

    usual_versions, usual_until = _USUAL.get(library, ("", ""))
    fitting = usual_versions if versions is None else versions
    last = until or usual_until

    def register(mend: Mend) -> Mend:
        PATCHES.append(Patch(mend.__name__, module, library, fitting, breaks, last, mend, optional))
        return mend

    return register


@contextmanager
def lend(name: str, *, instead: bool = False, **attributes: Any) -> Iterator[None]:
    """Put a module ``name`` with ``attributes`` into ``sys.modules`` for as long as the block runs.

    A module of that name that Python has got is left alone, unless ``instead`` says to stand in its
    place all the same.
    """
    own = sys.modules.get(name)
    found = own or importlib.machinery.PathFinder.find_spec(name)
    if found is not None and not instead:
        yield
        return
    stand_in = ModuleType(name)
    vars(stand_in).update(attributes)
    sys.modules[name] = stand_in
    try:
        yield
    finally:
        if own is None:
            sys.modules.pop(name, None)
        else:
            sys.modules[name] = own


def loaded(name: str) -> Any:
    """The module ``name`` that a patch surrounds, once it is executed; names may be set in it."""
    return sys.modules[name]


def overlay(module: ModuleType, **attributes: Any) -> ModuleType:
    """A module that has ``attributes`` and everything else from ``module``.

    Given to one module in the place of ``module``, it changes names for that module alone.
    """
    laid_over = ModuleType(module.__name__)
    vars(laid_over).update(attributes, __getattr__=lambda name: getattr(module, name))
    return laid_over


@contextmanager
def _around(mending: Mending, module: ModuleType) -> Iterator[None]:
    next(mending)
    try:
        yield
    except BaseException as error:
        mending.throw(error)
        raise
    with suppress(StopIteration):
        mending.send(module)


def surround(patches: Sequence[Patch], module: ModuleType, execute: Callable[[], None]) -> None:
    """Run ``execute`` with the first half of every patch before it and the second half after."""
    with ExitStack() as stack:
        for one in patches:
            stack.enter_context(_around(one.mend(), module))
        execute()


class _PatchedLoader(importlib.abc.Loader):
    def __init__(self, loader: importlib.abc.Loader, patches: Sequence[Patch]) -> None:
        self._loader, self._patches = loader, patches

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        # Hand the module its own loader back: pkgutil and inspect ask it for data and source.
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        surround(self._patches, module, lambda: self._loader.exec_module(module))


class PatchFinder(importlib.abc.MetaPathFinder):
    """Finds the modules that have patches first, and wraps the loading of each."""

    def __init__(self, patches: Sequence[Patch]) -> None:
        self._patches: dict[str, list[Patch]] = {}
        for one in patches:
            self._patches.setdefault(one.module, []).append(one)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Find ``fullname`` as Python would, and wrap its loader where a patch wants it."""
        if fullname not in self._patches:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _PatchedLoader(spec.loader, self._patches[fullname])
        return spec
