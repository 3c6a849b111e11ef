"""Keys with which a Vibe agent does more than restrict itself: its file takes any key of the configuration.

Source: the schema of Vibe 3.0.3 (`vibe_schema.py`).
"""

from __future__ import annotations

from typing import Final

from agentsync.agents.key_effects import Effect, effects_by_key, is_one_of, row
from agentsync.dialects._kit.harmless import is_within_project
from agentsync.dialects._kit.open_format import undeclared_by

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
    row("catalogmodelaliases catalogrecommendedmodel experimentalenablemodelcatalog", Effect.CHANGES_MODEL),
    row("managedshelltoolsenabled", Effect.RUNS_PROGRAM),
    row("experiments otelredaction", Effect.OPENS_ADDRESS),
    row("systempromptid compactionpromptid titlepromptid", Effect.READS_FILE, unless=is_within_project),
    row("defaultagent", Effect.CHANGES_APPROVAL, unless=is_one_of("main", "ask")),
    row("enabledagents disabledagents enableautoapprove", Effect.RESTRICTS),
    # Servers and connectors are those that the user configured, and all else is what people see of a session.
    row("enableconnectors enablemcp enablesubagents maxsubagents maxconcurrentsubagents", Effect.INERT),
    row("installedagents enablebackgroundprocesses autocompactthreshold outputlimitretries", Effect.INERT),
    row(
        "includeprojectcontext includepromptdetail includecommitsignature includemodelinfo projectcontext", Effect.INERT
    ),
    row(
        "theme appliedmigrations disablewelcomebanneranimation cursorblink showgreeting displayedworkdir", Effect.INERT
    ),
    row("autocopytoclipboard enablemousecapture filewatcherforautocomplete askconfirmationonexit", Effect.INERT),
    row("contextwarnings voicemodeenabled narratorenabled showthinkingnodes showsubagentstatuslist", Effect.INERT),
    row(
        "worktreelimit raiseoncompactionfailure enabletelemetry strictconfig enableupdatechecks loglevel", Effect.INERT
    ),
    row("enablenotifications experimentalenabletabstatus apitimeout apiretrymaxelapsedtime", Effect.INERT),
    row("apistreamidletimeout compactionreasoninglimittokens apiconnecttimeout apiwritetimeout", Effect.INERT),
    row("apipooltimeout", Effect.INERT),
)
"""By folded key: all keys of the configuration."""

undeclared: Final = undeclared_by(
    EFFECTS, ("name", "display_name", "description", "instructions", "agent_type", "active_model"), {}
)
"""As `Dialect.undeclared`: a key that a later version may have."""
