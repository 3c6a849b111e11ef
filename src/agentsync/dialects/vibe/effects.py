"""Keys with which a Vibe agent does more than restrict itself: its file takes any key of the configuration.

Source: Vibe 3.0.3 itself (November 2026), asked by `tests/conformance/test_vibe.py`. It acts on each setting of its
schema but three addresses, ignores any other key with a warning, and refuses the agent for one with `strict_config`.
"""

from __future__ import annotations

from typing import Final

from pydantic import JsonValue

from agentsync.agents.key_effects import Effect, effects_by_key, is_one_of, row
from agentsync.dialects._kit.harmless import is_within_project
from agentsync.dialects._kit.open_format import undeclared_by


def _names_no_shell(value: JsonValue) -> bool:
    """Whether no tool's table names a program to run its commands with."""
    tables = value.values() if isinstance(value, dict) else ()
    return not any(table.get("shell") for table in tables if isinstance(table, dict))


EFFECTS: Final = effects_by_key(
    row("tools", Effect.RUNS_PROGRAM, unless=_names_no_shell),
    row("toolpaths enableautoupdate", Effect.RUNS_PROGRAM),
    row("experimentalenableprmonitoring experimentalenableprdiscovery", Effect.RUNS_PROGRAM),
    row("providers transcribeproviders ttsproviders connectors", Effect.OPENS_ADDRESS),
    row("otelendpoint", Effect.OPENS_ADDRESS),
    # They get the user's key, and this release ignores them in agents.
    row("consolebaseurl vibebaseurl vibecodesessionsbaseurl", Effect.OPENS_ADDRESS),
    # What the user switched off: reports, sound, and what else is configured.
    row("enabletelemetry enableupdatechecks voicemodeenabled narratorenabled", Effect.OPENS_ADDRESS),
    row("enableconnectors enablemcp", Effect.OPENS_ADDRESS),
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
    # What people see of a session, and how much of it a model does.
    row("worktreelimit enablesubagents maxsubagents maxconcurrentsubagents", Effect.INERT),
    row("installedagents enablebackgroundprocesses autocompactthreshold outputlimitretries", Effect.INERT),
    row(
        "includeprojectcontext includepromptdetail includecommitsignature includemodelinfo projectcontext", Effect.INERT
    ),
    row(
        "theme appliedmigrations disablewelcomebanneranimation cursorblink showgreeting displayedworkdir", Effect.INERT
    ),
    row("autocopytoclipboard enablemousecapture filewatcherforautocomplete askconfirmationonexit", Effect.INERT),
    row("contextwarnings showthinkingnodes showsubagentstatuslist", Effect.INERT),
    row("raiseoncompactionfailure strictconfig loglevel", Effect.INERT),
    row("enablenotifications experimentalenabletabstatus apitimeout apiretrymaxelapsedtime", Effect.INERT),
    row("apistreamidletimeout compactionreasoninglimittokens apiconnecttimeout apiwritetimeout", Effect.INERT),
    row("apipooltimeout", Effect.INERT),
)
"""By folded key: all keys of the configuration."""

undeclared: Final = undeclared_by(
    EFFECTS, ("name", "display_name", "description", "instructions", "agent_type", "active_model"), {}
)
"""As `Dialect.undeclared`: a key that a later version may have."""
