"""Octets in the two forms the ported suite has them: bytes, and a string with one character for
each octet."""

import binascii


def octets(value):
    """Bytes of a string of octets; anything else as it is."""
    return value.encode("latin-1") if isinstance(value, str) else value


def text(value):
    """A string of octets of bytes; anything else as it is."""
    return bytes(value).decode("latin-1") if isinstance(value, (bytes, bytearray)) else value


def b2a_hex(value):
    """As in `binascii`, of either form."""
    return binascii.b2a_hex(octets(value)).decode()


hexlify = b2a_hex
