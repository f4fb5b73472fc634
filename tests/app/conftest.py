"""The page's server with a detector that finds bright squares, and a hand to ask it with."""

import asyncio
import http.client
import json
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from tornado.netutil import bind_sockets

from cellcount.app.running import answering
from cellcount.app.server import OWN_HEADER
from cellcount.app.service import Service
from cellcount.app.visits import Limits
from cellcount.counting.counter import Counter
from cellcount.counting.detections import Detections


class Bright:
    """Finds squares that are brighter than their surroundings; their brightness is the score."""

    name, classes, img_size = "bright", ["cell"], 64

    def __init__(self):
        self.meta = {"threshold": 0.5}

    def prepare(self, photo):
        return photo[..., 0]

    def find(self, prepared, threshold):
        labels, _ = ndimage.label(prepared > 20)
        found = ndimage.find_objects(labels)
        boxes = np.array([(x.start, y.start, x.stop, y.stop) for y, x in found], dtype=float)
        scores = np.array([prepared[place].max() / 255 for place in found])
        some = scores > threshold
        return Detections(boxes.reshape(-1, 4)[some], scores[some], np.ones(some.sum(), int))


def squares(*brightness):
    """A dark photo (60, 200) with squares of these greys, as pixels."""
    photo = np.zeros((60, 200), np.uint8)
    for number, grey in enumerate(brightness):
        photo[20:30, 15 * number + 5 : 15 * number + 15] = grey
    return photo


@pytest.fixture
def counter(tmp_path):
    (tmp_path / "bright.pth").write_bytes(b"a model")
    return Counter(tmp_path / "bright.pth", engine=Bright())


@pytest.fixture
def photo(tmp_path):
    """Three squares above the model's threshold, two below."""
    Image.fromarray(squares(250, 200, 150, 110, 60)).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


class Page:
    """What a browser would ask."""

    def __init__(self, port):
        self.port = port

    def raw(self, method, path, body=None, **headers):
        """The status and the body of an answer; the path goes over the line as it is."""
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            line.putrequest(method, path, skip_host="Host" in headers)
            chunked = headers.get("Transfer-Encoding") == "chunked"
            if body is not None and not chunked:
                headers.setdefault("Content-Length", str(len(body)))
            for name, value in headers.items():
                line.putheader(name, value)
            line.endheaders(body, encode_chunked=chunked)
            reply = line.getresponse()
            return reply.status, reply.read()
        finally:
            line.close()

    def ask(self, path, method="GET", body=None):
        status, content = self.raw(method, path, body, **{OWN_HEADER: "1"})
        return status, json.loads(content)

    def begin(self):
        status, content = self.ask("/visits", "POST", b"")
        assert status == 200
        return f"/visits/{content['key']}"

    def send(self, visit, name, content):
        return self.ask(f"{visit}/photos?name={name}", "POST", content)

    def counted(self, visit):
        """All that the page shows, once everything is counted."""
        for _ in range(600):
            _, shown = self.ask(visit)
            if shown["done"] == len(shown["numbers"]):
                return shown
            time.sleep(0.02)
        raise AssertionError(shown)


@pytest.fixture
def page(counter):
    """The server in a thread; ``page.service`` is what stands behind it."""
    limits = Limits(mb=1, photos=4)
    started, told = threading.Event(), SimpleNamespace()

    async def serve():
        told.stop, told.loop = asyncio.Event(), asyncio.get_running_loop()
        service = told.service = Service(counter, limits)
        sockets = bind_sockets(0, "127.0.0.1")
        told.port = sockets[0].getsockname()[1]
        server = answering(service, "bright.pth", "127.0.0.1")
        server.add_sockets(sockets)
        work = asyncio.create_task(service.count())
        started.set()
        await told.stop.wait()
        server.stop()
        work.cancel()
        service.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert started.wait(60)
    made = Page(told.port)
    made.service = told.service
    yield made
    told.loop.call_soon_threadsafe(told.stop.set)
    thread.join()
