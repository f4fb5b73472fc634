"""Calibration: what scored boxes say about numbers, learned on labelled photos.

Matching, precision and recall, the threshold, and a count with its interval; no torch.
"""
