"""Keys with which a Codex agent does more than restrict itself: its file takes any key of the configuration.

Source: the schema of Codex 0.171.0 (`ConfigToml`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pydantic import JsonValue

from agentsync.agents.key_effects import Effect, effects_by_key, is_empty, is_one_of, row
from agentsync.dialects._kit.harmless import is_off_throughout, is_within_project
from agentsync.dialects._kit.open_format import undeclared_by


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


def _turns(*switches: str, on: bool) -> Callable[[JsonValue], bool]:
    """Build a check whether a table of features leaves these switches alone, apart from the other way."""
    return lambda value: (
        not isinstance(value, dict)
        or not any(
            (inner is not False and not (isinstance(inner, dict) and inner.get("enabled") is False)) is on
            for switch in switches
            if (inner := value.get(switch)) is not None
        )
    )


def _names_no_skill_outside(value: JsonValue) -> bool:
    """Whether no skill that is switched on is outside the project."""
    entries = value.get("config") if isinstance(value, dict) else value
    skills = [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    return all(skill.get("enabled") is False or is_within_project(skill.get("path")) for skill in skills)


_RUNNING: Final = ("plugins", "remote_plugin", "hooks", "js_repl", "workspace_dependencies", "prefer_mxc")
_REACHING: Final = (
    *("apps", "enable_mcp_apps", "remote_control", "network_proxy", "computer_use", "in_app_browser", "browser_use"),
    *("browser_use_external", "browser_use_full_cdp_access", "memories", "external_agent_memory_import"),
)
# Switches that have something else than the user approve calls, or more be allowed at once.
_APPROVING: Final = (
    *("guardian_approval", "exec_permission_approvals", "request_permissions_tool", "auto_approve"),
    *("guardianv2", "guardianv3", "use_legacy_landlock"),
)
_GUARDING: Final = (
    *("write_stdin_approval", "tool_call_mcp_elicitation", "auth_elicitation", "untrusted_as_tool_output"),
    "credential_masking",
)
# Tools that a switch gives or takes, which the session's sandbox and approval apply to, and what people see.
_INERT_FEATURES: Final = frozenset(
    "apply_patch_freeform code_mode collaboration_modes concurrent_reasoning_summaries enable_request_compression "
    "experimental_use_unified_exec_tool fast_mode ghost_commit goals image_generation mentions_v2 multi_agent "
    "multi_agent_v2 personality powershell_utf8 prevent_idle_sleep resize_all_images responses_websockets "
    "responses_websockets_v2 rollout_budget runtime_metrics shell_snapshot shell_tool skill_search sleep_tool sqlite "
    "steer streamable_shell terminal_resize_reflow token_budget tool_search tool_suggest undo unified_exec "
    "unified_exec_tty view_image view_image_tool web_search_cached web_search_request".split()
)

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
    row("features", Effect.RUNS_PROGRAM, unless=_turns(*_RUNNING, on=True)),
    row("features", Effect.OPENS_ADDRESS, unless=_turns(*_REACHING, on=True)),
    row("features", Effect.CHANGES_APPROVAL, unless=_turns(*_APPROVING, on=True)),
    row("features", Effect.CHANGES_APPROVAL, unless=_turns(*_GUARDING, on=False)),
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
    {"features": _INERT_FEATURES.union(_RUNNING, _REACHING, _APPROVING, _GUARDING)},
)
"""As `Dialect.undeclared`: a key, or a switch in `features`, that a later version may have."""
