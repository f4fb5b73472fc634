"""The one kind of error that a user is meant to read."""

from icevision_bridge.errors import BridgeError


class CellCountError(BridgeError):
    """Something the user can put right; the message says in plain words what, and how.

    The command line prints the message alone and exits with status 1; notebooks show it as the
    last line of the traceback.
    """
