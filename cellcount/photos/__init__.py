"""Photos: read upright in 8-bit RGB whatever their file, found in folders, or downloaded.

A path goes in, pixels come out; no torch.
"""
