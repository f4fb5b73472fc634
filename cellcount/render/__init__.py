"""Seeded photos of needle-shaped cells, as a phone sees them through an eyepiece, with boxes.

A photo is built the way it comes about: objects on glass are imaged by a slightly defocused
microscope (:mod:`.optics`), lit through the eyepiece's round field (:mod:`.field`), and processed
by a phone (:mod:`.phone`). The same seed gives the same pixels on the same machine.
"""

from .folder import render_folder
from .photo import Rendered, render_photo

__all__ = ["Rendered", "render_folder", "render_photo"]
