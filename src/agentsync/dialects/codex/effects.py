"""Keys with which a Codex agent does more than restrict itself: its file takes any key of the configuration.

Source: the schema of Codex 0.171.0 (`ConfigToml`).
"""

from __future__ import annotations

from typing import Final

from pydantic import JsonValue

from agentsync.agents.key_effects import Effect, effects_by_key, is_empty, is_one_of, row
from agentsync.dialects._kit.harmless import is_off_throughout, is_within_project
from agentsync.dialects._kit.open_format import undeclared_by
from agentsync.dialects.codex.features import DECLARED
from agentsync.dialects.codex.features import ROWS as FEATURES


def _takes_variables_away(value: JsonValue) -> bool:
    """Whether a policy for the environment of commands only removes variables."""
    keys = value.keys() if isinstance(value, dict) else set()
    return is_empty(value) or bool(keys and keys <= {"inherit", "exclude", "include_only"})


def _exports_nothing(value: JsonValue) -> bool:
    """Whether telemetry has no exporter."""
    values = value.values() if isinstance(value, dict) else [value]
    return all(inner == "none" or is_empty(inner) for inner in values)


def _names_no_file(value: JsonValue) -> bool:
    """Whether no table within a value names a configuration file."""
    if isinstance(value, dict):
        return "config_file" not in value and all(map(_names_no_file, value.values()))
    return True


def _is_confined(value: JsonValue) -> bool:
    """Whether a table for a writable workspace allows neither the network nor further directories."""
    if not isinstance(value, dict):
        return is_empty(value)
    return all(is_empty(inner) or key.startswith("exclude_") for key, inner in value.items())


def _names_no_skill_outside(value: JsonValue) -> bool:
    """Whether no skill that is switched on is outside the project."""
    entries = value.get("config") if isinstance(value, dict) else value
    skills = [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    return all(skill.get("enabled") is False or is_within_project(skill.get("path")) for skill in skills)


EFFECTS: Final = effects_by_key(
    # A provider may have a command for its key, and an environment may load a program into every command.
    row("plugins", Effect.RUNS_PROGRAM, unless=is_off_throughout),
    row("notify modelproviders marketplaces", Effect.RUNS_PROGRAM),
    row("shellenvironmentpolicy", Effect.RUNS_PROGRAM, unless=_takes_variables_away),
    row("zshpath jsreplnodepath jsreplnodemoduledirs", Effect.RUNS_PROGRAM),
    row("modelproviders openaibaseurl chatgptbaseurl mcpoauthcallbackurl", Effect.OPENS_ADDRESS),
    row("apps", Effect.OPENS_ADDRESS, unless=is_off_throughout),
    row("otel", Effect.OPENS_ADDRESS, unless=_exports_nothing),
    row("experimentalthreadconfigendpoint", Effect.OPENS_ADDRESS),
    row("experimentalrealtimewsbaseurl experimentalrealtimewebrtccallbaseurl", Effect.OPENS_ADDRESS),
    row("experimentalthreadstoreendpoint experimentalthreadstore", Effect.OPENS_ADDRESS),
    # A relative path starts from the directory of the configuration, which is outside the project, too.
    row("modelinstructionsfile experimentalinstructionsfile modelcatalogjson", Effect.READS_FILE),
    row("experimentalcompactpromptfile logdir sqlitehome debug rollouttrace", Effect.READS_FILE),
    row("projectdocfallbackfilenames", Effect.READS_FILE, unless=is_within_project),
    row("agents", Effect.READS_FILE, unless=_names_no_file),
    row("defaultpermissions", Effect.CHANGES_APPROVAL, unless=is_one_of(":read-only", ":workspace")),
    row("sandboxworkspacewrite", Effect.CHANGES_APPROVAL, unless=_is_confined),
    row("permissions profile profiles projects approvalsreviewer autoreview", Effect.CHANGES_APPROVAL),
    row("modelprovider ossprovider reviewmodel", Effect.CHANGES_MODEL),
    row("forcedloginmethod forcedchatgptworkspaceid experimentalrealtimewsmodel", Effect.CHANGES_MODEL),
    *FEATURES,
    row("windows", Effect.CHANGES_APPROVAL),  # which sandbox there is
    row("allowloginshell", Effect.RUNS_PROGRAM),  # which runs what the user's profile has
    row("orchestrator realtime mcpenterprisemanagedauth mcpoauthcallbackport", Effect.OPENS_ADDRESS),
    row("analytics feedback cloud", Effect.OPENS_ADDRESS, unless=is_off_throughout),
    row("memories", Effect.READS_FILE, unless=is_off_throughout),  # and writes, below Codex's own directory
    row("skills", Effect.READS_FILE, unless=_names_no_skill_outside),
    row("projectrootmarkers allowsymlinkedcodexhome", Effect.READS_FILE),
    row("cliauthcredentialsstore mcpoauthcredentialsstore", Effect.READS_FILE, unless=is_one_of("auto", "keyring")),
    row("tools websearch agents", Effect.RESTRICTS),
    # What people see of a session, and how much of it a model does.
    row("audio desktop ghostsnapshot goals history notice responsesapimetadata toolsuggest tui", Effect.INERT),
    row("nicknamecandidates checkforupdateonstartup disablepasteburst experimentaluseunifiedexectool", Effect.INERT),
    row("hideagentreasoning showrawagentreasoning suppressunstablefeatureswarning fileopener", Effect.INERT),
    row("includeappsinstructions includecollaborationmodeinstructions includeenvironmentcontext", Effect.INERT),
    row("includeenvironmentcontexttime includepermissionsinstructions instructions compactprompt", Effect.INERT),
    row("backgroundterminalmaxtimeout mcpoptionalstartupgracems threadunloaddelaysecs", Effect.INERT),
    row("modelautocompacttokenlimit modelautocompacttokenlimitscope modelcontextwindow", Effect.INERT),
    row("modelpostturncompactthresholdpercent projectdocmaxbytes tooloutputtokenlimit appsmcpproductsku", Effect.INERT),
    row("modelreasoningeffort modelreasoningsummary modelverbosity planmodereasoningeffort", Effect.INERT),
    row("personality servicetier experimentalrealtimestartinstructions", Effect.INERT),
    row("experimentalrealtimewsbackendprompt experimentalrealtimewsstartupcontext", Effect.INERT),
)
"""By folded key: all keys of the configuration."""

undeclared: Final = undeclared_by(
    EFFECTS,
    ("name", "description", "developer_instructions", "model"),
    {"features": DECLARED},
)
"""As `Dialect.undeclared`: a key, or a switch in `features`, that a later version may have."""
