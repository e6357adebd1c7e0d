"""Puts the pixel in and wraps the links of a mail, byte-exactly. Pure: bytes in, bytes out."""
