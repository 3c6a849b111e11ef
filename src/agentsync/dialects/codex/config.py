"""The keys of Codex's configuration, all of which an agent's file may have, and what keeps it from being loaded.

Source: the tool itself, version 0.171.0, which was given each key with a value of each type. Codex refuses a file with
a key that it does not know, or a value of a wrong type. It ignores unknown keys within tables, other than those below.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import JsonValue

_TABLES: Final = (
    "agents analytics apps audio auto_review cloud desktop experimental_thread_store features feedback ghost_snapshot "
    "goals hooks marketplaces mcp_enterprise_managed_auth mcp_servers memories model_providers notice orchestrator "
    "otel permissions plugins profiles projects realtime responses_api_metadata shell_environment_policy tools tui "
    "windows"
)
# A list may contain a table's values in their order, which nobody writes.
_TABLES_OR_LISTS: Final = "history sandbox_workspace_write skills tool_suggest"
_LISTS: Final = (
    "js_repl_node_module_dirs nickname_candidates notify project_doc_fallback_filenames project_root_markers"
)
_FLAGS: Final = (
    "allow_login_shell allow_symlinked_codex_home check_for_update_on_startup disable_paste_burst "
    "experimental_use_unified_exec_tool hide_agent_reasoning include_apps_instructions "
    "include_collaboration_mode_instructions include_environment_context include_environment_context_time "
    "include_permissions_instructions show_raw_agent_reasoning suppress_unstable_features_warning"
)
_NUMBERS: Final = (
    "background_terminal_max_timeout mcp_oauth_callback_port mcp_optional_startup_grace_ms "
    "model_auto_compact_token_limit model_context_window model_post_turn_compact_threshold_percent "
    "project_doc_max_bytes thread_unload_delay_secs tool_output_token_limit"
)
_TEXTS: Final = (
    "apps_mcp_product_sku approvals_reviewer chatgpt_base_url cli_auth_credentials_store compact_prompt "
    "default_permissions experimental_compact_prompt_file experimental_realtime_start_instructions "
    "experimental_realtime_webrtc_call_base_url experimental_realtime_ws_backend_prompt "
    "experimental_realtime_ws_base_url experimental_realtime_ws_model experimental_realtime_ws_startup_context "
    "experimental_thread_store_endpoint file_opener forced_login_method instructions js_repl_node_path log_dir "
    "mcp_oauth_callback_url mcp_oauth_credentials_store model model_auto_compact_token_limit_scope model_catalog_json "
    "model_instructions_file model_provider model_reasoning_effort model_reasoning_summary model_verbosity "
    "openai_base_url oss_provider personality plan_mode_reasoning_effort profile review_model sandbox_mode "
    "service_tier sqlite_home web_search"
)
_TYPES: Final[Mapping[str, tuple[tuple[type, ...], str]]] = {
    **dict.fromkeys(_TABLES.split(), ((dict,), "a table")),
    **dict.fromkeys(_TABLES_OR_LISTS.split(), ((dict,), "a table")),
    **dict.fromkeys(_LISTS.split(), ((list,), "a list of texts")),
    **dict.fromkeys(_FLAGS.split(), ((bool,), "true or false")),
    **dict.fromkeys(_NUMBERS.split(), ((int,), "a whole number")),
    **dict.fromkeys(_TEXTS.split(), ((str,), "text")),
    "approval_policy": ((str, dict), "text or a table"),
    "forced_chatgpt_workspace_id": ((str, list), "text or a list of texts"),
}

KEYS: Final = frozenset(_TYPES)
"""The keys of the configuration. An agent's file has a name, a description and instructions as well."""

_SWITCHING: Final = frozenset({"agents", "features", "permissions", "sandbox_workspace_write"})
"""The tables that may take tools away, so that it is unclear what a malformed one is intended for."""

# The features that may be a table instead of a switch.
_FEATURE_TABLES: Final = frozenset(
    "apps_mcp_path_override code_mode multi_agent_v2 network_proxy rollout_budget token_budget".split()
)
# The keys of `[agents]` that are no table of a role.
_LIMITS: Final[Mapping[str, tuple[tuple[type, ...], str]]] = {
    **dict.fromkeys(("default_subagent_model", "default_subagent_reasoning_effort"), ((str,), "text")),
    **dict.fromkeys(("enabled", "interrupt_message"), ((bool,), "true or false")),
    **dict.fromkeys(("job_max_runtime_seconds", "max_depth", "max_threads"), ((int,), "a whole number")),
}


@dataclass(frozen=True, slots=True)
class Mistyped:
    """A value that Codex does not take.

    Attributes:
        key: of the file.
        problem: what Codex takes, as a clause.
        is_clear: whether the value restricts nothing, or in a way that is clear all the same.
    """

    key: str
    problem: str
    is_clear: bool


def mistyped(metadata: Mapping[str, JsonValue]) -> Iterator[Mistyped]:
    """Yield each value of a type that Codex does not take."""
    for key, value in metadata.items():
        types, wanted = _TYPES.get(key, ((), ""))
        if wanted and not _is_one(value, types):
            yield Mistyped(key, f"`{key}` must be {wanted}", key not in _SWITCHING)
    for name, value in _table(metadata, "features").items():
        if not isinstance(value, bool) and not (name in _FEATURE_TABLES and isinstance(value, dict)):
            yield Mistyped("features", f"`features.{name}` must be true or false", _is_switch(value))
    for name, value in _table(metadata, "agents").items():
        types, wanted = _LIMITS.get(name, ((dict,), "a table"))
        if not _is_one(value, types):
            yield Mistyped("agents", f"`agents.{name}` must be {wanted}", _is_switch(value))


def _is_one(value: JsonValue, types: tuple[type, ...]) -> bool:
    """Whether a value is of one of these types; true and false are no numbers."""
    return isinstance(value, types) and (not isinstance(value, bool) or bool in types)


def _is_switch(value: JsonValue) -> bool:
    """Whether a value is a table with a switch, as some features have one."""
    return isinstance(value, dict) and isinstance(value.get("enabled"), bool)


def _table(metadata: Mapping[str, JsonValue], key: str) -> Mapping[str, JsonValue]:
    value = metadata.get(key)
    return value if isinstance(value, dict) else {}
