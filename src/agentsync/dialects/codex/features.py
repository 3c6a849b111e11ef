"""The switches in `[features]` of a Codex agent's file, by name: which of them do what.

Source: `codex features list` of Codex 0.171.0 (November 2026), which has 224 switches, and the tool itself, which
started an agent with each of them the other way round: of these `shell_tool` alone changes which tools, instructions
and requests the agent has, and an unknown switch is ignored (`tests/conformance/test_codex_sessions.py`). What does not
show there, such as a program that runs later or another release, is judged by the names; so are the switches that this
release has removed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from pydantic import JsonValue

from agentsync.agents.key_effects import Effect, KeyEffect, row

_RUNNING: Final = frozenset(
    "code_mode_host code_mode_host_grpc codex_git_commit daemon_auto_start hooks in_app_local_automation "
    "in_app_updates js_repl js_repl_tools_only login_shell_package_path plugin_discovery_prefetch plugin_hooks plugins "
    "prefer_mxc recommended_plugins remote_plugin shell_zsh_fork skill_mcp_dependency_install unified_exec_zsh_fork "
    "workspace_dependencies".split()
)
_REACHING: Final = frozenset(
    "agent_message_board agent_message_board_mcp analytics_plan_history api_key_cyber_access_programs "
    "api_key_model_discovery apps apps_early_resource_discovery apps_mcp_path_override browser_annotation_api "
    "browser_use browser_use_external browser_use_full_cdp_access chronicle codex_apps_mcp_2026_07_28 computer_use "
    "deferred_executor enable_mcp_apps executor_capability_discovery executor_capability_discovery_v2 "
    "external_agent_memory_import external_migration hosted_search_policy in_app_browser in_app_chat in_app_dictation "
    "in_app_voice mcp_tool_list_changed memories multi_env_copy_file multi_environment_mcp network_proxy "
    "plugin_sharing realtime_conversation remote_control remote_models respect_system_proxy standalone_web_search "
    "system_proxy_fallback use_agent_identity use_xaa".split()
)
_APPROVING: Final = frozenset(
    "auto_approve elevated_windows_sandbox exec_permission_approvals experimental_windows_sandbox guardian_approval "
    "guardian_conversation_history_tools guardian_denial_reconsideration guardian_enhanced_node_repl_transcripts "
    "guardian_ext guardian_native_multi_agent_history guardian_nested_approval_context "
    "guardian_node_repl_transcript_images guardian_recorded_items guardian_root_handoff_context "
    "guardian_trust_orchestrator_connectors guardianv2 guardianv2.thread_context guardianv2_decisions_comparison "
    "guardianv3 request_permissions_tool request_rule use_legacy_landlock use_linux_sandbox_bwrap "
    "wake_on_agent_messages windows_sandbox_service".split()
)
"""Switches that have something else than the user approve calls, or more be allowed at once."""
_GUARDING: Final = frozenset(
    "auth_elicitation credential_masking guardian_include_additional_context guardian_reuse_parent_compaction "
    "safe_image_decoder secret_auth_storage skip_host_skill_discovery tool_call_mcp_elicitation "
    "untrusted_as_tool_output write_stdin_approval".split()
)
"""Switches that are a guard while they are on."""
# Tools that a switch gives or takes, which the session's sandbox and approval apply to; what a model is sent and how
# much of it; and what people see.
_INERT: Final = frozenset(
    "app_server_websocket_compression apply_patch_freeform apply_patch_preserve_line_endings "
    "apply_patch_streaming_events artifact async_compaction async_compaction_root_only "
    "background_paginated_rollout_migration bedrock_setup_wizard catalog_apps_instructions cli_daybreak "
    "cli_resume_account_check code_mode code_mode_buffered_exec code_mode_host_output_truncation code_mode_interrupt "
    "code_mode_only code_mode_only_strict_3p_tools code_mode_prewarm code_mode_tool_description_first "
    "code_mode_tool_search collaboration_modes command_sessions_world_state compaction_image_budget "
    "concurrent_reasoning_summaries content_item_kinds context_management critical_path_timing current_time_reminder "
    "cwd_relative_turn_diffs default_mode_request_user_input defer_mailbox_preemption deferred_tool_world_state "
    "enable_fanout enable_request_compression executed_tool_call_metadata experimental_use_unified_exec_tool fast_mode "
    "file_backed_tool_audio gateway_setup_wizard gcp_setup_wizard ghost_commit goals image_detail_original "
    "image_generation image_generation_animation image_resize_notice incremental_exec_tools incremental_tools "
    "incremental_tools_legacy incremental_tools_legacy_gcp instant_interrupt interrupt_on_cancel item_ids "
    "local_thread_store_compression local_thread_store_shared_compression mcp_2026_07_28 mcp_connection_sharing "
    "mcp_lazy_stdio_startup mcp_oauth_refresh_coordination mcp_shared_repl_cwd mentions_v2 model_catalog_in_context "
    "multi_agent multi_agent_mode multi_agent_v2 multi_agent_v2_dynamic_tools non_prefixed_mcp_tool_names "
    "nonfatal_clock_read_errors omit_app_server_notification_media omit_skill_descriptions output_token_replay "
    "per_environment_context personality powershell_shell_version powershell_utf8 prediction_preserve_parent_tools "
    "prevent_idle_sleep reasoning_effort_override remote_compaction_v2 resize_all_images responses_websockets "
    "responses_websockets_v2 restored_history_prewarm retain_client_developer_messages retain_client_tool_outputs "
    "rollout_budget runtime_metrics search_tool send_async_message send_message_to_user_async shell_snapshot "
    "shell_snapshot_v2 shell_tool simplified_selection_hints skill_catalog_deltas skill_env_var_dependency_prompt "
    "skill_search sleep_tool sqlite stable_environment_tools steer step_model_switching streamable_shell "
    "subagent_default_context_limits suppress_model_change_announcements terminal_resize_reflow "
    "terminal_visualization_instructions token_budget tool_search tool_search_always_defer_mcp_tools tool_suggest "
    "transcript_v2 tui_app_server tui_extensions_statusline tui_multi_backend tui_workspace ultrafast_mode "
    "unavailable_dummy_tools unbounded_connection_retries undo unified_exec unified_exec_tty unified_image_budget "
    "utc_environment_date view_image view_image_tool web_search_cached web_search_request workspace_owner_usage_nudge "
    "worktrees".split()
)

UNKNOWN: Final = frozenset(
    "daybreak_program_propagation psp runtime_agent_instances subagent_thread_environments".split()
)
"""Switches of the release whose names do not show what they do; a policy has to name them."""

DECLARED: Final = _RUNNING | _REACHING | _APPROVING | _GUARDING | _INERT
"""Switches whose effect is declared."""


def _turns(switches: frozenset[str], *, on: bool) -> Callable[[JsonValue], bool]:
    """Build a check whether a table of features leaves these switches alone, apart from the other way."""
    return lambda value: (
        not isinstance(value, dict)
        or not any(
            (inner is not False and not (isinstance(inner, dict) and inner.get("enabled") is False)) is on
            for switch in switches
            if (inner := value.get(switch)) is not None
        )
    )


ROWS: Final[tuple[tuple[str, KeyEffect], ...]] = (
    row("features", Effect.RUNS_PROGRAM, unless=_turns(_RUNNING, on=True)),
    row("features", Effect.OPENS_ADDRESS, unless=_turns(_REACHING, on=True)),
    row("features", Effect.CHANGES_APPROVAL, unless=_turns(_APPROVING, on=True)),
    row("features", Effect.CHANGES_APPROVAL, unless=_turns(_GUARDING, on=False)),
)
"""The effects of the table."""

SWITCHES: Final[Mapping[str, frozenset[str]]] = {
    f"{Effect.RUNS_PROGRAM} where it is on": _RUNNING,
    f"{Effect.OPENS_ADDRESS} where it is on": _REACHING,
    f"{Effect.CHANGES_APPROVAL} where it is on": _APPROVING,
    f"{Effect.CHANGES_APPROVAL} where it is off": _GUARDING,
    str(Effect.INERT): _INERT,
}
"""By what they do: the switches, for a reader of the table."""
