"""What the page asks over HTTP, on Tornado, which JupyterLab brings.

Nothing that is asked becomes a path: the page's own files are known by name, a visit by a key that
cannot be guessed, a photo by its number in it. Photos come one a request, as they are, and go into
the visit's folder while they arrive. What changes something carries a header that no other web
site's page can send.
"""

import json
import re
from collections.abc import Collection
from http import HTTPStatus
from pathlib import Path
from typing import Any, BinaryIO, cast

from tornado.http1connection import HTTP1Connection
from tornado.web import Application, HTTPError, RequestHandler, stream_request_body

from cellcount.app import results
from cellcount.app.service import Service
from cellcount.app.settings import Settings
from cellcount.app.visits import READ, Photo, Visit
from cellcount.calibration.concentration import CHAMBERS
from cellcount.detector.training import LEAST_SCORE
from cellcount.errors import CellCountError

OWN_HEADER = "X-Cellcount"
_PAGE = {
    "": ("index.html", "text/html"),
    "page.css": ("page.css", "text/css"),
    "page.js": ("page.js", "text/javascript"),
}
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Server": "cellcount",
}
_ENDED = "This visit has ended, and its photos are deleted. Load the page again."
_KEY, _NUMBER = "/visits/([A-Za-z0-9_-]{22})", "([0-9]{1,9})"


class _Handler(RequestHandler):
    """What all answers have in common."""

    def initialize(self, service: Service, title: str, hosts: Collection[str]) -> None:
        self.service, self.title, self.hosts = service, title, hosts

    def set_default_headers(self) -> None:
        for name, value in _HEADERS.items():
            self.set_header(name, value)

    def prepare(self) -> None:
        if self.hosts and self.request.host_name not in self.hosts:  # a name that leads here
            raise HTTPError(HTTPStatus.FORBIDDEN)
        if self.request.method not in ("GET", "HEAD") and OWN_HEADER not in self.request.headers:
            raise HTTPError(HTTPStatus.FORBIDDEN)

    def visit(self, key: str) -> Visit:
        """The visit of a key."""
        visit = self.service.visits.get(key)
        if visit is None:
            raise HTTPError(HTTPStatus.NOT_FOUND, reason="Ended")
        return visit

    def photo(self, visit: Visit, number: str) -> Photo:
        """The photo of that number."""
        photo = visit.photos.get(int(number))
        if photo is None:
            raise HTTPError(HTTPStatus.NOT_FOUND)
        return photo

    def answer(self, content: dict[str, Any], status: HTTPStatus = HTTPStatus.OK) -> None:
        """Finish with JSON."""
        self.set_status(status)
        self.set_header("Content-Type", "application/json; charset=utf-8")
        self.finish(json.dumps(content, allow_nan=False))

    def write_error(self, status_code: int, **told: Any) -> None:
        error = told.get("exc_info", (None, None, None))[1]
        if isinstance(error, CellCountError):
            self.answer({"sentence": str(error)}, HTTPStatus.BAD_REQUEST)
        elif self._reason == "Ended":
            self.answer({"sentence": _ENDED}, HTTPStatus.NOT_FOUND)
        else:
            self.answer({"sentence": f"{self._reason}."}, HTTPStatus(status_code))

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        if not isinstance(value, CellCountError | HTTPError):
            super().log_exception(typ, value, tb)


class _Page(_Handler):
    def get(self, name: str) -> None:
        file, kind = _PAGE[name]
        self.set_header("Content-Type", f"{kind}; charset=utf-8")
        self.finish((Path(__file__).parent / "page" / file).read_bytes())


class _Visits(_Handler):
    def post(self) -> None:
        visit, limits = self.service.visits.begin(), self.service.limits
        self.answer(
            {
                "key": visit.key,
                "model": self.title,
                "threshold": self.service.counter.threshold,
                "least": LEAST_SCORE,
                "calibrated": self.service.counter.calibration is not None,
                "mb": limits.mb,
                "photos": limits.photos,
                "endings": READ,
                "chambers": list(CHAMBERS),
            }
        )


class _Visit(_Handler):
    def get(self, key: str) -> None:
        since = self.get_query_argument("since", "0")
        self.show(self.visit(key), int(since) if since.isdecimal() else 0)

    async def put(self, key: str) -> None:
        visit = self.visit(key)
        try:
            asked = json.loads(self.request.body)
        except ValueError:
            asked = None
        if not isinstance(asked, dict):
            raise HTTPError(HTTPStatus.BAD_REQUEST)
        await self.service.change(visit, Settings.read(asked, visit.channels))
        self.show(visit, 0)

    def delete(self, key: str) -> None:
        self.service.end(self.visit(key))
        self.answer({})

    def show(self, visit: Visit, since: int) -> None:
        """Finish with what the page is to show."""
        shown = results.shown(visit, self.service.counter, since)
        self.answer({**shown, "before": self.service.before(visit)})


@stream_request_body
class _Photos(_Handler):
    """A photo that comes in, under ``?name=``; it is written as it comes."""

    def prepare(self) -> None:
        super().prepare()
        self.file: BinaryIO | None = None
        self.name, self.why = self.get_query_argument("name", "photo"), ""
        visit, sent = self.visit(self.path_args[0]), self.request.headers.get("Content-Length", "0")
        said = self.get_query_argument("size", "0")  # of what the page does not even send
        try:
            self.service.limits.refuse_large(int(said) if said.isdecimal() else 0)
            if int(sent) > self.service.limits.bytes:
                raise HTTPError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            self.path = visit.new_file(self.name)
            self.file = self.path.open("xb")
        except CellCountError as error:
            self.why = str(error)
        connection = cast(HTTP1Connection, self.request.connection)
        connection.set_max_body_size(self.service.limits.bytes)

    def data_received(self, chunk: bytes) -> None:
        try:
            if self.file is not None:
                self.file.write(chunk)
        except OSError:
            self.discard()
            self.why = "The computer that counts has no room for the photo: come back later."

    async def post(self, key: str) -> None:
        visit = self.visit(key)
        if self.file is None:
            photos = [visit.refuse(self.name, self.why)]
        else:
            self.file.close()
            photos = await self.service.add(visit, self.path, self.name)
        self.answer({"numbers": [photo.number for photo in photos]})

    def on_connection_close(self) -> None:
        """The visitor has gone while the photo came, or it was too large."""
        self.discard()

    def discard(self) -> None:
        """Keep nothing of the photo."""
        if self.file is not None:
            self.file.close()
            self.path.unlink(missing_ok=True)
            self.file = None


class _Photo(_Handler):
    def delete(self, key: str, number: str) -> None:
        visit = self.visit(key)
        self.service.remove(visit, self.photo(visit, number))
        self.answer({})


class _Picture(_Handler):
    async def get(self, key: str, number: str) -> None:
        visit = self.visit(key)
        file = self.photo(visit, number).file
        if file is None:
            raise HTTPError(HTTPStatus.NOT_FOUND)
        made = await self.service.read(results.preview, visit, self.service.counter, file)
        self.set_header("Content-Type", "image/jpeg")
        self.set_header("Cache-Control", "private, max-age=3600")
        self.finish(made)


class _Table(_Handler):
    async def get(self, key: str) -> None:
        visit = self.visit(key)
        made = await self.service.read(results.table, visit, self.service.counter)
        self.set_header("Content-Type", "text/csv; charset=utf-8")
        self.set_header("Content-Disposition", 'attachment; filename="counts.csv"')
        self.finish(made)


class _Report(_Handler):
    async def get(self, key: str) -> None:
        visit = self.visit(key)
        made = await self.service.read(results.report, visit, self.service.counter)
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Content-Disposition", 'attachment; filename="report.html"')
        self.finish(made)


class _Pictures(_Handler):
    async def get(self, key: str) -> None:
        visit = self.visit(key)
        self.set_header("Content-Type", "application/zip")
        self.set_header("Content-Disposition", 'attachment; filename="counted.zip"')
        parts = results.pictures(visit, self.service.counter)
        while part := await self.service.read(next, parts, b""):
            self.write(part)
            await self.flush()


class _Nothing(_Handler):
    def prepare(self) -> None:
        raise HTTPError(HTTPStatus.NOT_FOUND)


def application(service: Service, title: str, hosts: Collection[str]) -> Application:
    """All that is answered.

    Args:
        service: that counts.
        title: says which model counts.
        hosts: the names by which browsers may ask for this computer; none for all names. Without
            them a page of another site could lead its own name here, and read the answers.
    """
    told = {"service": service, "title": title, "hosts": hosts}
    photo = f"{_KEY}/photos/{_NUMBER}"
    handlers: list[tuple[str, type[_Handler]]] = [
        (f"/({'|'.join(map(re.escape, _PAGE))})", _Page),
        ("/visits", _Visits),
        (_KEY, _Visit),
        (f"{_KEY}/photos", _Photos),
        (photo, _Photo),
        (f"{photo}/picture.jpg", _Picture),
        (f"{_KEY}/counts.csv", _Table),
        (f"{_KEY}/report.html", _Report),
        (f"{_KEY}/counted.zip", _Pictures),
        (".*", _Nothing),
    ]
    # Nothing is logged of a request: its address holds the visitor's key.
    return Application([(*one, told) for one in handlers], log_function=lambda _: None)
