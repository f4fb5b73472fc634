"""Labels: the boxes that people draw, as Pascal VOC beside each photo; read, checked, mended.

Other programs' labels come in and go out here too; no torch.
"""
