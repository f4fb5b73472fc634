"""Many photos of one visitor keep nobody else waiting."""

import asyncio

from cellcount.app.turns import Turns


def order(turns, number):
    async def take():
        return [await turns.next() for _ in range(number)]

    return asyncio.run(take())


def test_visitors_take_turns():
    turns = Turns()
    for photo in "abcd":
        turns.join("first", photo)
    turns.join("second", "x")
    assert [turns.before(owner) for owner in ("first", "second", "nobody")] == [0, 1, 0]
    assert order(turns, 5) == ["a", "x", "b", "c", "d"]


def test_what_is_taken_back_is_not_counted():
    turns = Turns()
    for owner, photo in (("one", 1), ("two", 2), ("one", 3), ("three", 4)):
        turns.join(owner, photo)
    turns.drop("one", lambda photo: photo == 1)
    turns.leave("three")
    assert order(turns, 2) == [3, 2]


def test_waits_until_something_comes():
    async def late():
        turns = Turns()
        taken = asyncio.create_task(turns.next())
        await asyncio.sleep(0)
        assert not taken.done()
        turns.join("one", "photo")
        return await taken

    assert asyncio.run(late()) == "photo"
