"""Judging: how right boxes and counts are on labelled photos, as figures, tables and pictures.

With no photos to spare, by cross-validation.
"""
