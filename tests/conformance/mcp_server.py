"""An MCP server over standard input and output, whose tools are its arguments and do nothing."""

from __future__ import annotations

import json
import sys
from typing import Any


def answer(method: str, params: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """The result of a call."""
    match method:
        case "initialize":
            server = {"name": "tests", "version": "1"}
            return {"protocolVersion": params["protocolVersion"], "capabilities": {"tools": {}}, "serverInfo": server}
        case "tools/list":
            empty = {"type": "object", "properties": {}}
            return {"tools": [{"name": name, "description": name, "inputSchema": empty} for name in names]}
        case _:
            return {}


def main() -> None:
    for line in sys.stdin:
        call = json.loads(line)
        if "id" in call:  # else it is a notification
            result = answer(call["method"], call.get("params", {}), sys.argv[1:])
            sys.stdout.write(json.dumps({"jsonrpc": "2.0", "id": call["id"], "result": result}) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
