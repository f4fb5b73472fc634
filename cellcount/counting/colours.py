"""The colours of boxes."""

CELL = "#ff59d6"  # the walkthrough's pink; no cell and no stain on these photos has it
# Told apart with every kind of colour vision, and from pink (Okabe & Ito, Color Universal Design).
MISS, FALSE_ALARM = "#0072b2", "#e69f00"
CLASSES = (CELL, "#56b4e9", "#f0e442", "#009e73", "#d55e00", "#e69f00")
OTHERS = "#bbbbbb"  # of classes beyond those
