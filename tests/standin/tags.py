"""The characters AWS allows in the value of a tag, the same in IAM and Secrets Manager.

https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html
"""

from __future__ import annotations

import re

_VALUE = re.compile(r"[\w\s.:/=+\-@]{0,256}")


def is_valid_value(value: str) -> bool:
    """Letters and digits of any script, spaces and `_ . : / = + - @`, at most 256. No comma."""
    return bool(_VALUE.fullmatch(value))
