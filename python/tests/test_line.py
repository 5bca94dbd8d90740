"""A stream's connections, without a server."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

from cpc_stream import _line
from cpc_stream._line import Line
from cpc_stream._options import settings_of


def test_a_server_has_the_whole_timeout_to_answer_after_a_quiet_hour(monkeypatch):
    clock = SimpleNamespace(now=0.0)
    session = SimpleNamespace(is_answer_owed=False, ready={"limits": {}})
    dropped_at = []

    async def sleep(seconds):
        clock.now += seconds
        session.is_answer_owed = clock.now >= 3600

    monkeypatch.setattr(_line, "time", SimpleNamespace(monotonic=lambda: clock.now))
    monkeypatch.setattr(asyncio, "sleep", sleep)
    socket = SimpleNamespace(
        transport=SimpleNamespace(abort=lambda: dropped_at.append(clock.now)),
    )
    settings = settings_of({"keep_alive": False, "timeout_s": 20.0})
    line = Line("http://host", None, session=session, settings=settings, changed=lambda: None)
    silence = []
    asyncio.run(line._watch(socket, silence))
    assert [error.code for error in silence] == ["timeout"]
    assert dropped_at == [3621.0]
