"""The one tree of errors: whose fault it was decides what happens next.

MedpipeError
├── ConfigError            the user's config or usage: exit code 2, nothing was run
├── Rejected               the item's fault: recorded with a reason code, never retried
└── Transient              the world's fault: retried with back-off, on a budget of its own

Anything else that escapes a stage is our bug: the traceback is kept, the item is retried a
bounded number of times and then becomes a dead letter.
"""

import re
from typing import Any

from medpipe.secrets import mask

_CODE = re.compile(r"[a-z][a-z0-9_]{1,47}")


class MedpipeError(Exception):
    """Base of every error that medpipe raises on purpose."""


class ConfigError(MedpipeError):
    """The configuration or the command line is wrong; the message says what to do.

    Secrets in it are masked: it may quote what the user wrote.
    """

    def __init__(self, message: str) -> None:
        super().__init__(mask(message))


class _ItemError(MedpipeError):
    """An error with a reason code that machines count and a detail that people read.

    Attributes:
        code: Lower-case reason code such as `not_a_video`; stable, counted in the funnel.
        detail: One sentence for a person: what was seen and what to do; secrets are masked.
    """

    def __init__(self, code: str, detail: str) -> None:
        if not _CODE.fullmatch(code):
            raise ValueError(f"reason code must be snake_case, got {code!r}")
        self.code = code
        self.detail = mask(detail)
        super().__init__(code, self.detail)

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.code, self.detail)


class Rejected(_ItemError):
    """The item does not belong in the dataset; recorded with its reason, never retried."""


class Transient(_ItemError):
    """The world failed for now (network, throttling, a full disk); worth another try later.

    When the budget of tries is spent the item is rejected under the same code.
    """
