"""The one font file that is on every installation."""

from pathlib import Path


def default_font() -> str:
    """Path of DejaVu Sans, a free font that comes with Matplotlib."""
    import matplotlib

    return str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf")
