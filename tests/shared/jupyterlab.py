"""JupyterLab for tests: a server of its own on a folder, for as long as it is wanted."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

WAIT = 120  # seconds, on a busy machine


@contextmanager
def jupyterlab(folder: Path, **environment: str) -> Iterator[Callable[[str], str]]:
    """Serves ``folder``; what is yielded turns the name of a notebook there into its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--no-browser", "--allow-root", "--port", str(port), "--ServerApp.root_dir", folder]
    command = [sys.executable, "-m", "jupyterlab", *map(str, options), "--IdentityProvider.token=t"]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            command, cwd=folder, stdout=log, stderr=log, env=os.environ | environment
        )
    try:
        for _ in range(WAIT):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api/status?token=t").close()
                break
            except urllib.error.URLError:
                time.sleep(1)
        yield lambda name: f"http://127.0.0.1:{port}/lab/tree/{name}?reset&token=t"
    finally:
        server.terminate()
        server.wait()
