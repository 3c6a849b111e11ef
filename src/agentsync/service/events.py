"""Structured log events of the service, in addition to those of its cycles; docs/events.md lists them."""

from __future__ import annotations

from pathlib import Path

from agentsync.core.errors import AgentsyncError
from agentsync.core.log import logger


def log_started(config: Path) -> None:
    logger().info("daemon.started", config=str(config))


def log_stopped(config: Path) -> None:
    logger().info("daemon.stopped", config=str(config))


def log_outdated(config: Path) -> None:
    logger().info("daemon.outdated", config=str(config), message="agentsync was updated, so the service starts again")


def log_reloaded(config: Path) -> None:
    logger().info("config.reloaded", config=str(config))


def log_refused(config: Path, error: AgentsyncError) -> None:
    logger().error("config.refused", config=str(config), error=str(error), hint=error.hint)


def log_failed(error: AgentsyncError) -> None:
    logger().error("sync.failed", error=str(error), hint=error.hint, exit_code=int(error.exit_code))


def log_fallback(message: str) -> None:
    logger().warning("watch.fallback", message=message, hint="its changes are seen in each cycle instead")


def log_clock_changed() -> None:
    logger().warning("clock.changed", message="no run came when it was due, so one is made now")


def log_listening(address: str) -> None:
    logger().info("health.listening", address=address)


def log_unhealthy(what: str, error: str) -> None:
    logger().warning("health.failed", what=what, error=error)


def log_healthy(what: str) -> None:
    logger().info("health.recovered", what=what)


def log_no_control(error: OSError | RuntimeError) -> None:
    logger().warning("control.failed", error=str(error), hint="`agentsync pull` runs without the service instead")
