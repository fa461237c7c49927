"""Images and documents on their way into any format."""

from __future__ import annotations

import base64
import binascii

from providers.codecs import UntranslatableError

DEFAULT_IMAGE = "image/jpeg"
"""Where a client did not say what its image is."""
PDF = "application/pdf"


def foreign_file(file_id: str | None) -> UntranslatableError:
    """The error of a file that another vendor keeps."""
    return UntranslatableError(f"`file_id` {file_id} is another vendor's: send the file itself (base64 or URL)", "file_id")


def decoded(data: str) -> str | None:
    """The text behind base64; None where it is none."""
    try:
        return base64.b64decode(data, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
