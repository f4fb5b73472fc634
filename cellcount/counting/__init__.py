"""Counting: a checkpoint and a photo go in, a Count with its boxes and interval comes out.

Photos larger than the detector likes are cut into tiles; engines compute the network.
"""
