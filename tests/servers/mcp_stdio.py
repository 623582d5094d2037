"""An MCP server on standard input and output, by hand: it does what real ones do when things go wrong."""

import json
import os
import signal
import subprocess
import sys
import threading
from typing import Any

_READ_ONLY = ("echo", "environment", "count")
_TOOLS = (
    "echo", "environment", "count", "exit", "exit_once", "wait", "big", "garbage", "error", "spawn", "ask", "stuck",
    "close_input", "flood", "words",
)  # fmt: skip
_lock = threading.Lock()
_cancelled = threading.Event()
_calls = {"count": 0}


def send(message: dict[str, Any]) -> None:
    with _lock:
        sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        sys.stdout.flush()


def text(value: object) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": str(value)}], "isError": False}


def call(number: int, name: str, arguments: dict[str, Any]) -> None:
    match name:
        case "echo":
            send({"id": number, "result": {**text(arguments.get("text")), "unknownKey": 1}})
        case "environment":
            send({"id": number, "result": text(json.dumps(dict(os.environ)))})
        case "count":
            _calls["count"] += 1
            send({"id": number, "result": text(f"{os.getpid()} {_calls['count']}")})
        case "exit":
            sys.stderr.write(arguments.get("words", "the last words") + "\n")
            sys.stderr.flush()
            os._exit(3)
        case "exit_once":  # the file says whether it has done so already
            if not os.path.exists(arguments["path"]):
                with open(arguments["path"], "w", encoding="utf-8"):
                    os._exit(4)
            send({"id": number, "result": text("again")})
        case "wait":
            threading.Thread(target=wait, args=(number, arguments), daemon=True).start()
        case "big":
            send({"id": number, "result": text("x" * arguments["size"])})
        case "garbage":
            sys.stdout.write("a banner\n{not json\n")
            sys.stdout.flush()
        case "error":
            send({"id": number, "error": {"code": -32050, "message": "mine", "data": ["any", {"code": 7}]}})
        case "spawn":
            child = subprocess.Popen(
                [sys.executable, "-c", "import time; time.sleep(600)"],
                stdin=subprocess.DEVNULL,
                start_new_session=arguments.get("apart", False),
            )
            send({"id": number, "result": text(child.pid)})
        case "ask":
            send({"id": "mine", "method": "sampling/createMessage", "params": {}})
            send({"method": "notifications/progress", "params": {}})
            _calls["ask"] = number
        case "flood":
            lines = (arguments["line"] + "\n") * 1_000
            while True:
                sys.stdout.write(lines)
        case "words":
            for _ in range(arguments["times"] // 1_000):
                sys.stderr.write("words\n" * 1_000)
            send({"id": number, "result": text("said")})
        case "close_input":
            os.close(0)
            send({"id": number, "result": text("closed")})
            threading.Event().wait()
        case "stuck":
            while True:
                pass


def wait(number: int, arguments: dict[str, Any]) -> None:
    if _cancelled.wait(arguments.get("seconds", 600)):
        if "path" in arguments:
            with open(arguments["path"], "w", encoding="utf-8") as file:
                file.write("cancelled")
        return
    send({"id": number, "result": text("waited")})


def main() -> None:
    if "--deaf" in sys.argv:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for line in sys.stdin:
        message = json.loads(line)
        number, method, params = message.get("id"), message.get("method"), message.get("params", {})
        if method == "initialize":
            if "--silent" in sys.argv:
                continue
            if "--modern" in sys.argv:
                send({"id": number, "error": {"code": -32601, "message": "gone"}})
                continue
            info = {"name": "by-hand", "version": "9"}
            send({"id": number, "result": {
                "protocolVersion": "2025-06-18", "capabilities": {"tools": {}, "logging": {}}, "serverInfo": info,
            }})  # fmt: skip
        elif method == "server/discover":
            send({"id": number, "result": {
                "resultType": "complete", "supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}},
                "ttlMs": 0, "cacheScope": "private",
            }})  # fmt: skip
        elif method == "tools/list":
            schema = {"type": "object"}
            hint = {name: {"readOnlyHint": name in (*_READ_ONLY, "exit_once")} for name in _TOOLS}
            tools = [{"name": name, "inputSchema": schema, "annotations": hint[name]} for name in _TOOLS]
            send({"id": number, "result": {"tools": tools}})
        elif method == "tools/call":
            if "--modern" in sys.argv and "_meta" not in params:
                send({"id": number, "error": {"code": -32602, "message": "no envelope"}})
                continue
            call(number, params["name"], params.get("arguments", {}))
        elif method == "notifications/cancelled":
            _cancelled.set()
        elif method is None and "ask" in _calls:
            send({"id": _calls.pop("ask"), "result": text(json.dumps(message))})
        elif number is not None:
            send({"id": number, "error": {"code": -32601, "message": f"no {method}"}})
    while "--deaf" in sys.argv:
        signal.pause()


if __name__ == "__main__":
    main()
