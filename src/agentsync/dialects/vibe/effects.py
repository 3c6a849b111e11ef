"""Keys with which a Vibe agent does more than restrict itself: its file takes any key of the configuration.

Source: the schema of Vibe 3.0.3 (`vibe_schema.py`).
"""

from __future__ import annotations

from typing import Final

from agentsync.agents.key_effects import Effect, effects_by_key, is_one_of, row
from agentsync.dialects._kit.harmless import is_within_project

EFFECTS: Final = effects_by_key(
    row("toolpaths enableautoupdate", Effect.RUNS_PROGRAM),
    row("experimentalenableprmonitoring experimentalenableprdiscovery", Effect.RUNS_PROGRAM),
    row("providers transcribeproviders ttsproviders connectors", Effect.OPENS_ADDRESS),
    row("otelendpoint consolebaseurl vibebaseurl vibecodesessionsbaseurl", Effect.OPENS_ADDRESS),
    row("experimentalenabledocumentlibraryconnector", Effect.OPENS_ADDRESS),
    row("experimentalenableregistryskills enableotel enablesystemtruststore", Effect.OPENS_ADDRESS),
    row("skillpaths agentpaths", Effect.READS_FILE, unless=is_within_project),
    row("sessionlogging", Effect.READS_FILE),
    row("bypasstoolpermissions smartapprovedefault smartapproveavailable", Effect.CHANGES_APPROVAL),
    row("safety", Effect.CHANGES_APPROVAL, unless=is_one_of("safe", "neutral", "destructive")),
    row("models allowedmodels compactionmodel visionmodel utilitymodels", Effect.CHANGES_MODEL),
    row("routeddefaultmodel routedmodelconfig routedextramodels", Effect.CHANGES_MODEL),
    row("activetranscribemodel transcribemodels activettsmodel ttsmodels", Effect.CHANGES_MODEL),
)
"""By folded key."""
