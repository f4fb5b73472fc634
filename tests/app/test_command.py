"""``cellcount app``: which model, which address, and who is told to reach it."""

import socket

import pytest

from cellcount.app import running
from cellcount.app.service import Service
from cellcount.app.visits import Limits
from cellcount.commands import main
from cellcount.counting import counter as counters
from cellcount.errors import CellCountError


@pytest.fixture
def started(monkeypatch, tmp_path):
    """What would be run, where nothing is loaded."""
    ran = []

    class Nothing:
        view = None

        def __init__(self, model, engine):
            ran.append(model)

    def run(service, title, host, port, told):
        ran.extend((service.limits, host, port))
        told("http://there")

    monkeypatch.setattr(counters, "Counter", Nothing)
    monkeypatch.setattr(running, "run", run)
    monkeypatch.chdir(tmp_path)
    return ran


def test_this_computer_only_and_the_shipped_model(started, capsys):
    assert main.main(["app"]) == 0
    model, limits, host, _ = started
    assert (model.name, limits, host) == ("cells.pth", Limits(200, 100), "127.0.0.1")
    said = capsys.readouterr().out
    assert "Open http://there" in said and "Everybody" not in said


def test_own_model_and_an_open_address(started, tmp_path, capsys):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "model_checkpoint.pth").touch()
    asked = ["--host", "0.0.0.0", "--port", "9", "--max-mb", "5", "--max-photos", "3"]
    assert main.main(["app", *asked]) == 0
    model, *rest = started
    assert model.name == "model_checkpoint.pth"
    assert rest == [Limits(5, 3), "0.0.0.0", 9]
    assert "without a password" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("host", "here"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("::", False),
     ("192.168.1.7", False), ("lab.example", False)],
)  # fmt: skip
def test_who_reaches_a_host(host, here):
    assert running.is_here(host) is here


def test_port_that_is_taken(counter):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(CellCountError, match="another --port"):
            running.run(Service(counter, Limits()), "", "127.0.0.1", port, print)
