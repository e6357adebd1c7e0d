"""Puts the pixel in and wraps the links of a mail, byte-exactly. Pure: bytes in, bytes out."""

from rewriter.beginning import read_beginning
from rewriter.contract import (
    Link,
    Links,
    Own,
    Part,
    Restored,
    Rewritten,
    Skipped,
    Tracking,
    Untouched,
)
from rewriter.labels import read_label, read_snippet
from rewriter.left import Left, find_left, no_pixel
from rewriter.message import plan, rewrite
from rewriter.plan import Plan

__all__ = [
    "Left",
    "Link",
    "Links",
    "Own",
    "Part",
    "Plan",
    "Restored",
    "Rewritten",
    "Skipped",
    "Tracking",
    "Untouched",
    "find_left",
    "no_pixel",
    "plan",
    "read_beginning",
    "read_label",
    "read_snippet",
    "rewrite",
]
