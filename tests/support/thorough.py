"""Whether tests take the time to try everything, where a part of it is enough to find most mistakes."""

from __future__ import annotations

import os
from typing import Final

THOROUGH: Final = "AGENTSYNC_THOROUGH" in os.environ
