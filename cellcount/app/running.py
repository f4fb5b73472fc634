"""The page at an address, from the first visitor to Ctrl+C."""

import asyncio
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address
from typing import TYPE_CHECKING

from cellcount.app.service import Service
from cellcount.errors import CellCountError
from cellcount.setup.packages import INSTALL

if TYPE_CHECKING:
    from tornado.httpserver import HTTPServer

_HERE = ("127.0.0.1", "localhost", "::1")
_SETTINGS = 64_000  # bytes of a request that is no photo
_SLOW = 3600  # seconds that a photo may take to come
_SILENT = 300  # seconds that a connection may wait for the next question


def is_here(host: str) -> bool:
    """Whether only programs on this computer reach a host's address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def run(service: Service, title: str, host: str, port: int, told: Callable[[str], None]) -> None:
    """Answer visitors until the program is stopped; then delete what they have handed in.

    Args:
        service: that counts.
        title: says which model counts.
        host: the address to listen at.
        port: of it; 0 takes one that is free.
        told: is given the page's address, once there is one.

    Raises:
        CellCountError: Tornado is missing, or the address cannot be had.
    """
    try:
        from tornado.netutil import bind_sockets
    except ModuleNotFoundError as error:
        raise CellCountError(
            f"The page needs Tornado, which comes with JupyterLab: add both ({INSTALL})."
        ) from error
    try:
        sockets = bind_sockets(port, host)
    except (OSError, OverflowError) as error:
        raise CellCountError(
            f"The page cannot be shown at {host}, port {port} ({error}): give another --port, or "
            "another --host."
        ) from error
    try:
        asyncio.run(_run(service, title, host, sockets, told))
    finally:
        service.close()


def answering(service: Service, title: str, host: str) -> "HTTPServer":
    """What answers browsers, as soon as it is given sockets.

    Args:
        service: that counts.
        title: says which model counts.
        host: the address that its sockets listen at.
    """
    from tornado.httpserver import HTTPServer

    from cellcount.app.server import application

    return HTTPServer(
        application(service, title, {*_HERE, host} if is_here(host) else ()),
        max_body_size=_SETTINGS,
        body_timeout=_SLOW,
        idle_connection_timeout=_SILENT,
    )


async def _run(
    service: Service,
    title: str,
    host: str,
    sockets: list[socket.socket],
    told: Callable[[str], None],
) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):  # on Windows, where Ctrl+C raises KeyboardInterrupt
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    server = answering(service, title, host)
    server.add_sockets(sockets)
    tasks = [asyncio.create_task(work) for work in (service.count(), service.forget())]
    shown = f"[{host}]" if ":" in host else host
    told(f"http://{shown}:{sockets[0].getsockname()[1]}")
    await stopped.wait()
    server.stop()
    for task in tasks:
        task.cancel()
