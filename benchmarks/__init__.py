"""How long everything takes and how much memory, against doing it without this project.

``make bench``, that is ``python -m benchmarks``, measures all of it and writes RESULTS.md. A module
a subject; what is compared runs in processes of its own, which take turns.
"""
