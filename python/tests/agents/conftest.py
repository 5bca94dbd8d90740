"""Audio for agents."""

from __future__ import annotations

import numpy as np
import pytest
from sound import RATE


@pytest.fixture(scope="session")
def sound(speech):
    """A second of silence, 3.21 s of speech, a second of silence, 16 kHz."""
    silence = np.zeros(RATE, np.int16)
    return np.concatenate([silence, speech, silence])
