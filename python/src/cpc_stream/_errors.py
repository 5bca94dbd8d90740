"""Errors, each with a code."""

from __future__ import annotations

from collections.abc import Mapping


class CpcError(Exception):
    """Why a stream ended, did not begin, or a request failed.

    `code` is the server's (docs/protocol.md), or one of the client's own: connection_lost,
    timeout, closed, unread_full.
    """

    code = "internal"
    #: Close code of the WebSocket, where there was one.
    close_code: int | None
    #: HTTP status, where there was one.
    status: int | None
    #: Whether a retry may succeed.
    retryable: bool
    #: How long the server asks to wait before a retry, in seconds.
    retry_after_s: float | None
    #: The option or the input at fault.
    param: str | None
    #: By which the server's log knows the connection.
    request: str | None

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        close_code: int | None = None,
        status: int | None = None,
        retryable: bool = False,
        retry_after_s: float | None = None,
        param: str | None = None,
        request: str | None = None,
    ) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code
        self.close_code = close_code
        self.status = status
        self.retryable = retryable
        self.retry_after_s = retry_after_s
        self.param = param
        self.request = request


class InvalidOptionError(CpcError):
    """An option that the server does not take; `param` names it."""

    code = "invalid_option"


class InvalidMessageError(CpcError):
    """A message that the server did not understand."""

    code = "invalid_message"


class InvalidAudioError(CpcError):
    """Audio that is corrupt, of unknown kind, too short, or not finite."""

    code = "invalid_audio"


class TooLargeError(CpcError):
    """A message or an upload over a bound of the server."""

    code = "too_large"


class NotFoundError(CpcError):
    """A model or a route that the server does not have."""

    code = "not_found"


class UnauthorizedError(CpcError):
    """No key, or one that the server does not know."""

    code = "unauthorized"


class UnknownResumeTokenError(CpcError):
    """The session is gone: the stream cannot be continued without losing frames."""

    code = "unknown_resume_token"


class ResumedElsewhereError(CpcError):
    """The session goes on over another socket."""

    code = "resumed_elsewhere"


class OverloadedError(CpcError):
    """Too many streams or requests, for the key or for the server; try again later."""

    code = "overloaded"


class SessionEndedError(CpcError):
    """The stream was idle or open for too long, or an administrator ended it."""

    code = "session_limit"


class DrainingError(CpcError):
    """The server stops."""

    code = "draining"


class ServerError(CpcError):
    """The server's own fault."""

    code = "internal"


class ConnectionLostError(CpcError):
    """The server cannot be reached, or sent what cannot be understood."""

    code = "connection_lost"


class StreamTimeoutError(CpcError):
    """The server did not answer in time."""

    code = "timeout"


class ClosedError(CpcError):
    """The program closed the stream."""

    code = "closed"


class UnreadFullError(CpcError):
    """So many frames are unread that the stream stands still until some are read."""

    code = "unread_full"


_CLASSES: Mapping[str, type[CpcError]] = {
    "invalid_option": InvalidOptionError,
    "invalid_message": InvalidMessageError,
    "invalid_json": InvalidMessageError,
    "invalid_audio": InvalidAudioError,
    "unsupported_audio": InvalidAudioError,
    "audio_too_short": InvalidAudioError,
    "message_too_big": TooLargeError,
    "too_large": TooLargeError,
    "not_found": NotFoundError,
    "model_not_found": NotFoundError,
    "unauthorized": UnauthorizedError,
    "origin_not_allowed": UnauthorizedError,
    "unknown_host": UnauthorizedError,
    "not_admin": UnauthorizedError,
    "unknown_resume_token": UnknownResumeTokenError,
    "resumed_elsewhere": ResumedElsewhereError,
    "too_many_streams": OverloadedError,
    "rate_limited": OverloadedError,
    "slow_reader": OverloadedError,
    "overloaded": OverloadedError,
    "loading": OverloadedError,
    "model_unloaded": OverloadedError,
    "idle_timeout": SessionEndedError,
    "session_limit": SessionEndedError,
    "ended_by_admin": SessionEndedError,
    "draining": DrainingError,
    "model_failed": ServerError,
    "internal": ServerError,
}


def error_of(
    said: Mapping[str, object],
    *,
    close_code: int | None = None,
    status: int | None = None,
    retryable: bool = False,
    retry_after_s: float | None = None,
) -> CpcError:
    """The typed error of what the server said: `code`, `message`, `retryable`, …"""
    code = str(said.get("code", "internal"))
    wait_ms = said.get("retry_after_ms")
    param, request = said.get("param"), said.get("request")
    return _CLASSES.get(code, CpcError)(
        str(said.get("message", code)),
        code=code,
        close_code=close_code,
        status=status,
        retryable=bool(said.get("retryable", retryable)),
        retry_after_s=wait_ms / 1000 if isinstance(wait_ms, int | float) else retry_after_s,
        param=param if isinstance(param, str) else None,
        request=request if isinstance(request, str) else None,
    )


def lost(why: str, *, retryable: bool = True, close_code: int | None = None) -> CpcError:
    """A lost connection."""
    return ConnectionLostError(why, retryable=retryable, close_code=close_code)
