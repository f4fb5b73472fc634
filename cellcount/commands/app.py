"""The command that shows the web page."""

import argparse
from pathlib import Path
from typing import Any

from cellcount.commands.options import add_engine, positive
from cellcount.errors import CellCountError

_OWN, _SHIPPED = Path("models/model_checkpoint.pth"), Path("models/cells.pth")


def add(commands: Any) -> None:
    """Add it to argparse's ``commands``."""
    app = commands.add_parser("app", help="count photos on a web page, on this computer")
    app.add_argument(
        "model",
        type=Path,
        nargs="?",
        help=f"checkpoint ({_OWN}, which train.ipynb makes; without one {_SHIPPED})",
    )
    app.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen at (127.0.0.1: this computer only); 0.0.0.0 lets others in",
    )
    app.add_argument("--port", type=int, default=8060, help="of the address; 0: any (8060)")
    app.add_argument("--max-mb", type=positive, default=200, help="largest photo, in MB (200)")
    app.add_argument("--max-photos", type=positive, default=100, help="in a visit (100)")
    add_engine(app)
    app.set_defaults(run=_app)


def _app(options: argparse.Namespace) -> None:
    from cellcount.app.running import is_here, run
    from cellcount.app.service import Service
    from cellcount.app.visits import Limits
    from cellcount.counting.counter import Counter

    model = options.model or (_OWN if _OWN.exists() else _SHIPPED)
    if options.port not in range(1 << 16):
        raise CellCountError(f"There is no port {options.port}: give one from 1024 to 65535.")
    print(f"Loading {model} ...", flush=True)
    counter = Counter(model, engine=options.engine)

    def told(address: str) -> None:
        print(f"Open {address} in your browser. Ctrl+C stops it and deletes the photos.")
        if not is_here(options.host):
            print(
                "Everybody whose computer or phone reaches this one over the network can open the "
                "page, without a password, and what is sent is not encrypted: use it in a network "
                "that you trust."
            )
        print(end="", flush=True)

    limits = Limits(options.max_mb, options.max_photos)
    run(Service(counter, limits), f"{model.name}", options.host, options.port, told)
    print("Stopped. The photos of all visitors are deleted.")
