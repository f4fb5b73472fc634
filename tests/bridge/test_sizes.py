"""A wrong image size gets one sentence that says which ones are right."""

import copy
import pickle

import numpy as np
import pytest
import torch

from icevision_bridge.errors import BridgeError
from icevision_bridge.sizes import checked_size, watch_size


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (600, "multiple of 128: take 512 or 640 in the place of 600 in the transforms"),
        ((640, 500), "take 384 or 512 in the place of 500"),
        ((500, 700), "384 or 512 in the place of 500 and 640 or 768 in the place of 700"),
        ((500, 500), "take 384 or 512 in the place of 500 in the"),
        (100, "take 128 in the place of 100"),
        (0, "take 128 in the place of 0"),
        (-128, "take 128 in the place of -128"),
        (None, r"write img_size=512, .* or in model_from_checkpoint\(\.\.\.\)"),
        (512.0, "whole number as 512, .* in the place of 512.0"),
        ("512", "in the place of '512'"),
        ((512,), r"or \(height, width\), in the place of \(512,\)"),
    ],
)
def test_wrong_size_names_the_right_ones(value, says):
    with pytest.raises(BridgeError, match=f"^Net wants an image size .*{says}"):
        checked_size("Net", value, multiple=128)


def test_example_is_a_right_size():
    with pytest.raises(BridgeError, match="is at least 600: write img_size=640"):
        checked_size("Net", None, multiple=128, least=600)


def test_right_sizes_are_height_and_width():
    assert checked_size("Net", 256, multiple=128) == (256, 256)
    assert checked_size("Net", [256, 384], multiple=128) == (256, 384)
    assert checked_size("Net", np.int64(256), multiple=128) == (256, 256)
    assert checked_size("Net", 77) == (77, 77)


@pytest.mark.parametrize("given", ["position", "name", "list"])
def test_wrong_images_are_refused_however_they_are_given(given):
    class Net(torch.nn.Module):
        def forward(self, img, other=None):
            return img[0]

    net = Net()
    watch_size(net, "Net", multiple=32, least=64)

    def show(height, width):
        images = torch.zeros(2, 3, height, width)
        if given == "position":
            return net(images)
        return net(other=torch.zeros(1), img=[images] if given == "list" else images)

    show(64, 96)
    with pytest.raises(BridgeError, match=r"64 or 96 in the place of 90 in the transforms"):
        show(64, 90)
    with pytest.raises(BridgeError, match=r"multiple of 32 and is at least 64: take 64 .* of 32"):
        show(32, 64)


def test_exact_size_is_told_as_the_transforms_want_it():
    net = torch.nn.Conv2d(3, 1, 1)
    watch_size(net, "Net", exact=(64, 128))
    net(torch.zeros(1, 3, 64, 128))
    with pytest.raises(
        BridgeError,
        match=r"64 pixels high and 128 wide, .* 128 high and 64 wide: write size=\(128, 64\) in",
    ):
        net(torch.zeros(1, 3, 128, 64))
    with pytest.raises(BridgeError, match="64 high and 64 wide"):
        net(torch.zeros(1, 3, 64, 64))


@pytest.mark.parametrize("again", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_watch_goes_with_a_copy_but_not_into_the_weights(again):
    net = torch.nn.Conv2d(3, 1, 1)
    names = list(net.state_dict())
    watch_size(net, "Net", exact=(64, 64))
    assert list(net.state_dict()) == names
    twin = again(net)
    twin(torch.zeros(1, 3, 64, 64))
    with pytest.raises(BridgeError, match="size=64 in"):
        twin(torch.zeros(1, 3, 32, 32))


def test_what_is_no_batch_of_images_passes():
    net = torch.nn.Linear(3, 1)
    watch_size(net, "Net", exact=(64, 64))
    assert net(torch.zeros(5, 3)).shape == (5, 1)
