"""Labelling: labelImg and the browser, to draw boxes by hand or to correct those of a model.

Which photos to look at first, and how much work a model leaves, is found here too.
"""
