"""What a graphics card computes, how fast, and whether it is what a processor computes.

``python -m benchmarks.gpu`` measures all parts on the first NVIDIA card, each in a process of its
own, and adds each result to a page as it comes, so that a run that is cut off keeps what it had.
``--device cpu --quick`` rehearses all of it without a card. ``python -m benchmarks.gpu wheels
FOLDER`` gathers what a machine without a network needs for it; docs/machines.md says how.
"""
