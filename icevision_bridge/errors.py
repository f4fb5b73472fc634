"""The error whose message is written for the person at the keyboard."""


class BridgeError(Exception):
    """Something the user can put right. The message is one plain sentence saying how."""
