"""What pooling the maximum over regions of interest needs, be their bins sampled or counted."""

from collections.abc import Iterator

import torch
from torch import Tensor

_AT_ONCE = 2**24  # values in memory at a time, 64 MB in float32


def alike(samples: Tensor, values_per_sample: int) -> Iterator[tuple[Tensor, int, int]]:
    """Groups of regions that take as many samples, so that each group is one tensor operation.

    ``samples`` (K, 2) is the number of rows and columns sampled in each bin of a region; regions
    with none are left out. Gives the regions' numbers, their rows and their columns; a group is
    cut into pieces of at most 2^24 values, of which a region has rows * columns *
    ``values_per_sample``.
    """
    sizes, size_of = torch.unique(samples, dim=0, return_inverse=True)
    for number, (rows, columns) in enumerate(sizes.tolist()):
        if rows > 0 and columns > 0:
            members = torch.nonzero(size_of == number)[:, 0]
            piece = max(1, _AT_ONCE // (rows * columns * values_per_sample))
            for part in members.split(piece):
                yield part, rows, columns


def as_rows(features: Tensor) -> Tensor:
    """A map (B, C, H, W) as (B * H * W, C), so that a pixel is one row to look up."""
    return features.permute(0, 2, 3, 1).flatten(0, 2)


def add_at(features: Tensor, image: Tensor, pixel: Tensor, values: Tensor) -> None:
    """Add ``values`` (K, C, h, w) to a contiguous map (B, C, H, W), in place.

    ``image`` (K,) is each region's image, ``pixel`` (K, C, h, w) is y * W + x in it.
    """
    channels, height, width = features.shape[1:]
    channel = torch.arange(channels, device=features.device)[:, None, None]
    plane = image[:, None, None, None] * channels + channel
    index = plane * (height * width) + pixel
    features.view(-1).index_add_(0, index.flatten(), values.flatten())
