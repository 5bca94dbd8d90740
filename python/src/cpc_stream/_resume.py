"""When a lost stream can be resumed, and how long to wait before each attempt."""

from __future__ import annotations

import random

from ._errors import CpcError

_FIRST_BACKOFF_S, _LONGEST_BACKOFF_S = 0.25, 8.0
#: Errors after which the stream is over, though a new one may begin.
_GONE_FOR_GOOD = frozenset({"session_limit", "idle_timeout"})


def can_resume(error: CpcError) -> bool:
    """Whether a stream that ended with this error can be resumed."""
    return error.retryable and error.code not in _GONE_FOR_GOOD


def backoff_s(attempt: int, error: CpcError) -> float:
    """Seconds to wait before an attempt, counted from 1: doubled each time, with jitter."""
    longest: float = min(_LONGEST_BACKOFF_S, _FIRST_BACKOFF_S * 2 ** (attempt - 1))
    return max(longest * random.uniform(0.5, 1.0), error.retry_after_s or 0.0)
