"""What icevision_install.sh asks of Python before and between its calls of pip.

It stands on the standard library; torch is looked for, and may well be missing.
"""

import sys
from urllib.parse import unquote
from urllib.request import Request, urlopen

from cellcount.setup.packages import OLDEST_TORCH, hosted, installed, pins, release

_CPU_INDEX = "https://download.pytorch.org/whl/cpu"


def torch_pins() -> list[str]:
    """Returns the pins of torch and torchvision as pip takes them."""
    return [f"{pin.name}=={pin.version}" for pin in pins() if pin.heading == "PyTorch"]


def torch_here() -> list[str]:
    """Returns the installed torch and torchvision as pins.

    Raises:
        Exception: of any kind; they are missing, too old, or do not work together.
    """
    import torch  # noqa: F401
    import torchvision  # noqa: F401 - fails beside a torch that it was not built for

    found = {name: installed(name) for name in ("torch", "torchvision")}
    versions = {name: one.version for name, one in found.items() if one}
    if release(versions["torch"]) < OLDEST_TORCH:
        raise RuntimeError(f"torch {versions['torch']} is too old")
    return [f"{name}=={version}" for name, version in versions.items()]


def cpu_builds_offered() -> bool:
    """Tells whether PyTorch's own index holds the CPU builds of the pins for this Python.

    Raises:
        OSError: the index does not answer within 5 seconds.
    """
    for pin in torch_pins():
        name, version = pin.split("==")
        with urlopen(f"{_CPU_INDEX}/{name}/", timeout=5) as page:
            files = unquote(page.read().decode())
        if f"{name}-{version}+cpu-cp3{sys.version_info[1]}-" not in files:
            return False
    return True


def reach(url: str) -> None:
    """Raises OSError if an address does not answer within 10 seconds."""
    urlopen(Request(url, method="HEAD"), timeout=10).close()


def to_install(apart: bool) -> list[str]:
    """Lists what pip is to install here, beside PyTorch.

    Colab and Kaggle keep the common packages that they have, since their kernel has loaded some
    already, and get no desktop programs.
    """
    lines = []
    for pin in pins():
        unwanted = pin.heading == "PyTorch" or (pin.heading == "Desktop" and hosted())
        if pin.apart == apart and not unwanted:
            own = installed(pin.name) if pin.heading == "Common" and hosted() else None
            lines.append(f"{pin.name}=={own.version if own else pin.version}")
    return lines
