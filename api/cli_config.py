"""`chronoproxy config check` and `config init`."""

import argparse
import os
from pathlib import Path

from api.cli_output import UsageError, json_line, line
from api.configuration import Overrides, load
from api.places import user_config_dir

STARTER = """\
# Chronoproxy: where completions go, and how the proxy behaves. Every key is described in docs/configuration.md.
# What is commented out shows the default. ${NAME} is filled in from the environment.

# default_model = "gpt"              # of requests that name none; else the first of [models]

[server]
# host = "127.0.0.1"                 # beyond loopback, token must be set
# port = 8000
# token = "${CHRONOPROXY_TOKEN}"     # bearer token of all requests
# client_keys = []                   # keys for the completion routes
# allowed_hosts = []
# allowed_origins = []
# max_body_bytes = 20971520
# data_dir = "~/somewhere"
# enforce_context_limit = false       # true: refuse what does not fit the model's window
# docs = false                       # serve the interactive API page
# connect_timeout_s = 10.0
# read_timeout_s = 600.0

[recording]
# contents = true                    # false keeps hashes and counts only
# durability = "process"             # "power": wait for the disk too
# commit = "before_client"           # "before_upstream": commit before the provider is called
# idempotency_hours = 24             # a write that comes again with its Idempotency-Key gets the first answer
# log_watcher = false                # tell what Continue's log says of tokens
# log_watcher_path = "~/.continue/logs/core.log"

[sanitizer]
# enabled = true                     # until switched by POST /api/sanitizer/toggle
# threshold_tokens = 2000            # output of a command that is longer is shortened
# keep_tokens = 1200
# preview_length = 200
# trigger_tags = []                  # names of more tools that run commands

[sanitizer.compression]
# threshold_percentage = 85
# preserve_recent_exchanges = 5
# summary_max_tokens = 500
# model = ""                         # writes the summaries; empty: a digest that no model wrote

[reduction]
# enabled = true
# normalize = true
# deduplicate = true
# mask_old = true
# keep_recent = 8
# mask_min_tokens = 120
# mask_min_saved = 2000
# idle_seconds = 300

[observation_masking.schema1]        # masks by age, whatever the provider's cache makes of it; instead of mask_old
# enabled = false
# window_turns = 8
# keep_errors = true
# keep_last_k_per_tool = 0
# placeholder_template = "[output of {tool_name} omitted: {original_chars} characters, mask:{mask_hash}]"

[compaction]
# enabled = true
# threshold_percentage = 80          # shown as ready to be compacted
# critical_threshold = 95
# max_preserved_messages = 2
# target_reduction_ratio = 0.6
# min_tokens_to_compact = 500
# min_messages_to_compact = 6
# reserved_tokens = 0                # of the window, kept free

[compaction.auto]
# auto_compact = true                # when a request fills the window so far:
# auto_compact_threshold = 0.85
# auto_compact_cooldown = 5.0        # minutes
# max_consecutive_auto_compactions = 3

[compaction.ui]
# show_compact_button = true
# manual_button_threshold = 70
# show_detailed_tooltips = true
# show_compaction_notifications = true

[compaction.preview]
# preview_messages_count = 5
# preview_max_length = 200
# show_savings_estimate = true

[memory.embedder]
# path = ""                          # folder of a local model such as all-MiniLM-L6-v2; needs chronoproxy[vectors]

[retention]
# erase_after_days = 0               # sessions unused for so long are erased by themselves; 0: never
# check_every_hours = 6

[mcp]
# mask_chars = 4000                  # text of a tool that is longer is shortened, its original kept; 0: never

[cline]
# ledgers = []                       # more task histories and session databases of Cline

[cline.polling]                      # import what Cline wrote down, without being asked
# enabled = false
# interval_seconds = 60
# backoff_max_seconds = 600
[prices]
# file = ""                          # dated prices, beside this file; see docs/usage.md

[ledgers]                            # what other tools wrote down
# paths = []                         # such as "aider_history:~/project/.aider.chat.history.md"
# poll = []                          # such as "claude_code": looked at as often as [cline.polling] says
[telemetry]                          # OpenTelemetry; needs chronoproxy[otel]
# endpoint = "http://127.0.0.1:4318" # absent: off
# headers = {}
# traces = true
# metrics = true
# interval_s = 10
# timeout_s = 5
# service_name = "chronoproxy"

[rate_limit]
# mode = "observe"                   # "enforce": 429; "wait": delay, then 429
# max_rpm = 40                       # completions of all clients in any 60 seconds, 0 for no limit
# max_wait_ms = 5000

# A client's key with a name: what it does is shown under it, and it may have limits of its own.
#
# [keys.alice]
# key = "${ALICE_KEY}"
# max_rpm = 0
# budget = { usd = 5.0 }             # of a UTC day, in the place of [budgets.key]

[budgets]                            # 0 is no limit
# output_tokens = 4096               # reserved for an answer where nobody says how long it may be
# unpriced = "allow"                 # "refuse": models without a price are not served where usd is limited
# session = { tokens = 0, usd = 0, requests = 0 }   # of each session
# day = { tokens = 0, usd = 0, requests = 0 }       # of all together on a UTC day
# key = { tokens = 0, usd = 0, requests = 0 }       # of each named key on a UTC day

# A provider is anything that speaks the OpenAI API. Without one, the demo provider answers.
#
# [providers.openai]
# type = "openai"                    # or "gemini", "anthropic", "echo"
# api_key = "${OPENAI_API_KEY}"
# base_url = "https://api.openai.com/v1"
# headers = {}
# include_usage = true
# allow_any_model = false            # accept openai/<any name>
# cached_price_ratio = 0.1           # 1 for a provider without a cache
# connect_timeout_s = 10.0
# read_timeout_s = 600.0
# max_rpm = 0                        # completions in any 60 seconds, in the mode of [rate_limit]
# retry = { attempts = 2, on = [429, 500, 502, 503, 529], backoff_ms = 500, max_wait_ms = 10000 }
# name = "OpenAI"
# icon = "openai"
# color = "#0b6e83"
#
# [models.gpt]
# provider = "openai"
# model = "gpt-5"                    # the provider's name for it
# max_context_size = 262144
# max_output_tokens = 32768
# capabilities = ["tools"]
# fallback = []                      # models that are asked in its place where it fails
# price = { input = 1.25, output = 10.0, cache_read = 0.125, cache_write = 1.25, cache_write_1h = 2.0 }
#
# [mcp.servers.search]               # a program that speaks MCP, or the address of a server
# command = "npx"
# args = ["-y", "some-mcp-server"]
# env = { API_KEY = "${SEARCH_KEY}" }
# timeout_ms = 30000
# idle_seconds = 600.0
# stateful = false                   # true: one program for each client
# tools = []                         # those that may be used; empty: all
#
# [mcp.servers.remote]
# url = "https://mcp.example.com/mcp"
# headers = {}
# private = false                    # true: the address may be of a private network
#
# [providers.local]
# base_url = "http://127.0.0.1:11434/v1"
# allow_any_model = true
"""


def check(arguments: argparse.Namespace) -> int:
    """The values in force without secrets, and warnings. Raises ConfigurationError."""
    found = load(arguments.file or arguments.config, Overrides(), os.environ)
    file = str(found.file) if found.file is not None else None
    if arguments.json:
        json_line({"file": file, "warnings": list(found.warnings), "values": found.public_values()}, indent=2)
        return 0
    line(f"{file} is valid" if file else "no configuration file: the defaults hold, and the demo provider answers")
    for warning in found.warnings:
        line(f"  warning: {warning}")
    json_line(found.public_values(), indent=2)
    return 0


def init(arguments: argparse.Namespace) -> int:
    """Write a starting configuration. Raises UsageError where there is one, or where none can be written."""
    path: Path = arguments.path or user_config_dir(os.environ) / "config.toml"
    try:
        if path.exists() and not arguments.force:
            raise UsageError(f"{path} exists; --force replaces it")
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(STARTER)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None
    if arguments.json:
        json_line({"path": str(path)})
    else:
        line(f"wrote {path}")
    return 0
