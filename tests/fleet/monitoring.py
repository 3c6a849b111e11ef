"""Debian's Prometheus and Alertmanager, with the examples' rules and webhook, and times that suit a demonstration."""

from __future__ import annotations

import json
import shutil
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fleet.homes import Home, free_ports, process, wait_for_port

EXAMPLES: Final = Path(__file__).parents[2] / "examples/prometheus"
_PACKAGES: Final = ("prometheus", "prometheus-alertmanager")  # which have a program of that name
_SECONDS: Final = 30


@dataclass(frozen=True, slots=True)
class Pace:
    """Times as Prometheus writes them. The rules are for intervals of minutes and delays of hours.

    Attributes:
        scrape: the time from one scrape to the next.
        evaluate: the same for the rules.
        pending: how long what is a reason to halt lasts before its alert fires.
    """

    scrape: str = "2s"
    evaluate: str = "1s"
    pending: str = "4s"


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A running Prometheus."""

    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def is_ready(self) -> bool:
        """Whether it answers queries, which it does some time after it listens."""
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=_SECONDS):  # noqa: S310 - http, see above
                return True
        except urllib.error.HTTPError:
            return False

    def query(self, text: str) -> Mapping[str, float]:
        """Return the value of each series, by its instance, and in the end by its alert's name."""
        answer = self._get("query", query=text)
        return {
            one["metric"].get("instance", one["metric"].get("alertname", "")): float(one["value"][1])
            for one in answer["result"]
        }

    def alerts(self) -> Sequence[Mapping[str, Any]]:
        """Return the alerts that fire and are a reason to halt."""
        alerts: list[dict[str, Any]] = self._get("alerts")["alerts"]
        return [one for one in alerts if one["state"] == "firing" and one["labels"].get("halt") == "true"]

    def _get(self, what: str, **parameters: str) -> Any:
        url = f"{self.url}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=_SECONDS) as response:  # noqa: S310 - http, see above
            return json.load(response)["data"]


def missing_packages() -> Sequence[str]:
    """Return Debian's packages that are not installed."""
    return [package for package in _PACKAGES if not shutil.which(package)]


@contextmanager
def monitoring(
    root: Path, homes: Sequence[Home], *, ci: Path, environment: Mapping[str, str], pace: Pace = Pace()
) -> Iterator[Prometheus]:
    """Run Prometheus, Alertmanager, and the webhook with its CI job.

    Args:
        root: a directory for their files.
        homes: what is scraped.
        ci: the job's clone.
        environment: of all of them.
        pace: of Prometheus.
    """
    ports = dict(zip(("prometheus", "alertmanager", "webhook"), free_ports(3), strict=True))
    rules = (EXAMPLES / "alerts.yml").read_text(encoding="utf-8")
    for slow, fast in {"[1h]": "[1m]", "for: 2m": f"for: {pace.pending}"}.items():
        assert slow in rules
        rules = rules.replace(slow, fast)
    route = (EXAMPLES / "alertmanager.yml").read_text(encoding="utf-8")
    route = route.replace("127.0.0.1:9480", f"127.0.0.1:{ports['webhook']}").replace(
        "group_wait: 10s", "group_wait: 0s"
    )
    files = {
        "alerts.yml": rules,
        "alertmanager.yml": route,
        "prometheus.yml": json.dumps(_prometheus(homes, ports, pace)),
    }
    for name, text in files.items():
        (root / name).write_text(text, encoding="utf-8")
    commands = {
        "webhook": [
            sys.executable,
            str(EXAMPLES / "webhook.py"),
            str(ports["webhook"]),
            "sh",
            str(EXAMPLES / "halt.sh"),
        ],
        "alertmanager": [
            "prometheus-alertmanager",
            "--config.file=alertmanager.yml",
            f"--storage.path={root / 'alertmanager'}",
            f"--web.listen-address=127.0.0.1:{ports['alertmanager']}",
            "--cluster.listen-address=",
        ],
        "prometheus": [
            "prometheus",
            "--config.file=prometheus.yml",
            f"--storage.tsdb.path={root / 'prometheus'}",
            f"--web.listen-address=127.0.0.1:{ports['prometheus']}",
        ],
    }
    with ExitStack() as stack:
        for name, command in commands.items():
            log = stack.enter_context((root / f"{name}.log").open("wb"))
            cwd = ci if name == "webhook" else root
            stack.enter_context(process(command, log=log.fileno(), cwd=cwd, env=environment))
            wait_for_port(ports[name])
        yield Prometheus(ports["prometheus"])


def _prometheus(homes: Sequence[Home], ports: Mapping[str, int], pace: Pace) -> Mapping[str, object]:
    """Return the configuration; JSON is YAML too."""
    machines = [{"targets": [f"127.0.0.1:{home.port}"], "labels": {"instance": home.name}} for home in homes]
    return {
        "global": {"scrape_interval": pace.scrape, "evaluation_interval": pace.evaluate},
        "rule_files": ["alerts.yml"],
        "scrape_configs": [{"job_name": "agentsync", "static_configs": machines}],
        "alerting": {
            "alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{ports['alertmanager']}"]}]}],
        },
    }
