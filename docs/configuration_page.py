"""The tables of docs/configuration.md: keys, types, defaults and limits from the code, meanings from here."""

from typing import Any

from pydantic import BaseModel

from api.configuration_mcp import FastFilesystem, Mcp, McpServer
from api.configuration_sections import (
    BudgetEntry,
    Budgets,
    Cline,
    Compaction,
    CompactionAuto,
    CompactionPreview,
    CompactionUi,
    Compression,
    FileModel,
    KeyEntry,
    LedgersSection,
    MemoryEmbedder,
    MemorySection,
    ModelEntry,
    Polling,
    PriceEntry,
    PricesSection,
    ProviderEntry,
    RateLimit,
    RecordingSection,
    Reduction,
    RetentionSection,
    RetryEntry,
    Sanitizer,
    Schema1,
    Server,
)
from api.configuration_telemetry import Telemetry

_TABLES: tuple[tuple[str, type[BaseModel]], ...] = (
    ("server", Server),
    ("providers.NAME", ProviderEntry),
    ("providers.NAME.retry", RetryEntry),
    ("models.NAME", ModelEntry),
    ("models.NAME.price", PriceEntry),
    ("rate_limit", RateLimit),
    ("keys.NAME", KeyEntry),
    ("keys.NAME.budget", BudgetEntry),
    ("budgets", Budgets),
    ("budgets.session", BudgetEntry),
    ("budgets.day", BudgetEntry),
    ("budgets.key", BudgetEntry),
    ("recording", RecordingSection),
    ("sanitizer", Sanitizer),
    ("sanitizer.compression", Compression),
    ("reduction", Reduction),
    ("observation_masking.schema1", Schema1),
    ("retention", RetentionSection),
    ("memory", MemorySection),
    ("memory.embedder", MemoryEmbedder),
    ("telemetry", Telemetry),
    ("cline", Cline),
    ("cline.polling", Polling),
    ("ledgers", LedgersSection),
    ("prices", PricesSection),
    ("compaction", Compaction),
    ("compaction.auto", CompactionAuto),
    ("compaction.ui", CompactionUi),
    ("compaction.preview", CompactionPreview),
    ("mcp", Mcp),
    ("mcp.servers.NAME", McpServer),
    ("mcp.fast_filesystem", FastFilesystem),
)

MEANINGS = {
    "sanitizer.enabled": "Shorten and mask outputs of tools, until switched by `POST /api/sanitizer/toggle`.",
    "sanitizer.threshold_tokens": "Output of a command that is longer is shortened.",
    "sanitizer.keep_tokens": "About what is left of it: beginning, end, errors, definitions.",
    "sanitizer.preview_length": "Characters of a masked text that lists show.",
    "sanitizer.trigger_tags": "Names of further tools whose output is that of commands.",
    "reduction.enabled": "Replace anything at all; both this and the sanitizer's switch must be on.",
    "reduction.normalize": "Leave out colours, overwritten progress, and lines that only repeat.",
    "reduction.deduplicate": "Say once what stands in the context already, six lines or more.",
    "reduction.mask_old": "Mask outputs that were not of use lately, where that pays.",
    "reduction.keep_recent": "Outputs that are never masked: those that were of use last.",
    "reduction.mask_min_tokens": "Outputs of fewer tokens are not masked.",
    "reduction.mask_min_saved": "Tokens that masking must save, together, to be done.",
    "reduction.idle_seconds": "After such a pause the provider's cache is taken to be empty.",
    "sanitizer.compression.threshold_percentage": "How full a context must be to be compressed without force.",
    "sanitizer.compression.preserve_recent_exchanges": "Answers at the end that a compression keeps word for word.",
    "sanitizer.compression.summary_max_tokens": "Longest summary that the model may write.",
    "sanitizer.compression.model": "Writes the summaries, at its price; empty: a digest that no model wrote.",
    "observation_masking.schema1.enabled": "Mask outputs by age instead of where it pays (`reduction.mask_old`).",
    "observation_masking.schema1.window_turns": "Answers of the assistant whose outputs stay.",
    "observation_masking.schema1.keep_errors": "Outputs that tell of an error stay.",
    "observation_masking.schema1.keep_last_k_per_tool": "So many last outputs of each tool stay.",
    "observation_masking.schema1.placeholder_template": "What stands for one; `{tool_call_id}` may be in it too.",
    "ledgers.paths": "More ledgers to read, each as `KIND:PATH`; [ledgers](ledgers.md) lists the kinds.",
    "ledgers.poll": "Tools whose ledgers are imported now and then, as `[cline.polling]` says how often.",
    "cline.ledgers": "More ledgers of Cline to read: a `taskHistory.json`, or a `sessions.db`.",
    "cline.polling.enabled": "Import what Cline wrote down, now and then, without being asked.",
    "cline.polling.interval_seconds": "How often.",
    "cline.polling.backoff_max_seconds": "Longest pause after what fails: it doubles each time.",
    "telemetry.endpoint": "An OTLP/HTTP collector, such as `http://127.0.0.1:4318` ([telemetry](telemetry.md)).",
    "telemetry.headers": "Headers sent to it, such as a key; never shown.",
    "telemetry.traces": "Send spans, to `/v1/traces` beneath the endpoint.",
    "telemetry.metrics": "Send metrics, to `/v1/metrics`.",
    "telemetry.interval_s": "Seconds between two sendings.",
    "telemetry.timeout_s": "Seconds that a sending may take.",
    "telemetry.service_name": "`service.name` of what is sent.",
    "retention.erase_after_days": "Sessions unused for so long are erased by themselves; 0: never.",
    "memory.detect": "Remember by itself what users say for later; [memory](memory.md) tells how.",
    "memory.embedder.path": "Folder of a model such as all-MiniLM-L6-v2; all empty: memories are found by words alone.",
    "memory.embedder.provider": "Instead: a provider whose `/embeddings` gets the texts of memories and of searches.",
    "memory.embedder.model": "That provider's model, such as `text-embedding-3-small`.",
    "retention.check_every_hours": "How often that is looked at.",
    "compaction.enabled": "Compact by itself at all; what somebody asks for is always done.",
    "compaction.threshold_percentage": "From here on a context is shown as ready to be compacted.",
    "compaction.critical_threshold": "From here on a page warns.",
    "compaction.max_preserved_messages": "Messages at the end that stay, unless a request says otherwise.",
    "compaction.target_reduction_ratio": "Share of the removed tokens to save: digests take no more than the rest.",
    "compaction.min_tokens_to_compact": "Contexts of fewer tokens are left alone.",
    "compaction.min_messages_to_compact": "Contexts of fewer messages are left alone.",
    "compaction.reserved_tokens": "Tokens of the window to keep free; a session may have its own number.",
    "compaction.auto.auto_compact": "Sessions are compacted by themselves, until one is switched.",
    "compaction.auto.auto_compact_threshold": "Share of the window at which that happens, with what is reserved.",
    "compaction.auto.auto_compact_cooldown": "Minutes between two automatic compactions of a session.",
    "compaction.auto.max_consecutive_auto_compactions": "So many in a row, and then none while the context stays full.",
    "compaction.ui.show_compact_button": "For pages.",
    "compaction.ui.manual_button_threshold": "For pages: how full a context is when the button appears.",
    "compaction.ui.show_detailed_tooltips": "For pages.",
    "compaction.ui.show_compaction_notifications": "For pages.",
    "compaction.preview.preview_messages_count": "Messages that a preview shows.",
    "compaction.preview.preview_max_length": "Characters of each.",
    "compaction.preview.show_savings_estimate": "For pages.",
    "providers.NAME.cached_price_ratio": "Price of a cached input token; 1 for a provider without a cache.",
    "default_model": "Model of requests that name none; the first of `[models]` if absent.",
    "server.host": "Address to listen on; `::` is IPv4 too. Beyond loopback, `token` must be set.",
    "server.port": "Port to listen on, 0 for a free one.",
    "server.token": "Bearer token that every request must carry; empty: none is asked for.",
    "server.client_keys": "Keys that clients of the completion routes may use; when set, one is required.",
    "server.allowed_hosts": "Further values of the Host header that are answered; an entry may end in `*`.",
    "server.allowed_origins": "Origins of browser pages that may call; an entry may end in `*` (see above).",
    "server.max_body_bytes": "Longest request body, after inflation; longer ones get 413.",
    "server.data_dir": "Where `events.sqlite`, `keys.sqlite` and `read.sqlite` live; absent: the user's.",
    "server.enforce_context_limit": "Refuse what is longer than the window after reduction, before it is sent.",
    "server.docs": "Serve the interactive API page.",
    "server.connect_timeout_s": "Seconds to connect to a provider.",
    "server.read_timeout_s": "Seconds without a byte from a provider.",
    "providers.NAME.type": "`gemini` and `anthropic`: their OpenAI-compatible endpoints; `echo`: the demo, in process.",
    "providers.NAME.base_url": "The API's root, such as `http://127.0.0.1:11434/v1`; by default the vendor's own.",
    "providers.NAME.api_key": "Sent as the bearer token; may be empty for a local server with a `base_url`.",
    "providers.NAME.headers": "Further headers sent to this provider.",
    "providers.NAME.include_usage": "Ask for the usage of streams whose request does not say.",
    "providers.NAME.allow_any_model": "Accept `NAME/model` without an entry in `[models]`.",
    "providers.NAME.connect_timeout_s": "Overrides `server.connect_timeout_s`.",
    "providers.NAME.read_timeout_s": "Overrides `server.read_timeout_s`.",
    "providers.NAME.max_rpm": "Completions sent to it in any 60 seconds, by `rate_limit.mode`; 0 for no limit.",
    "providers.NAME.retry": "Ask it again where it fails; absent: once.",
    "providers.NAME.retry.attempts": "How often it is asked in all.",
    "providers.NAME.retry.on": "Statuses after which it is; 502 also where it is unreachable, 504 where it is silent.",
    "providers.NAME.retry.backoff_ms": "Pause before the second attempt; it doubles from there.",
    "providers.NAME.retry.max_wait_ms": "Longest pause, also where the provider asks for one by `Retry-After`.",
    "models.NAME.fallback": "Models that are asked in its place, in this order, where it fails.",
    "providers.NAME.name": "Name to show; by default the key.",
    "providers.NAME.icon": "Icon to show; by default the type.",
    "providers.NAME.color": "Colour to show, `#rrggbb`.",
    "models.NAME.provider": "Key of the provider that serves it.",
    "models.NAME.model": "The provider's name for it; by default the key.",
    "models.NAME.max_context_size": "Its context window in tokens.",
    "models.NAME.max_output_tokens": "Its longest answer in tokens; shown in the lists of models.",
    "models.NAME.capabilities": "Words to show, such as `tools` or `vision`.",
    "models.NAME.price": "Prices in USD per million tokens, up to six decimals; without them a cost is unknown.",
    "models.NAME.price.input": "Per million prompt tokens.",
    "models.NAME.price.output": "Per million completion tokens.",
    "mcp.mask_chars": "Text of a tool that is longer is shortened, its original kept; 0: never.",
    "mcp.memory_tools": "Tools whose results count as memory; `*` stands for anything.",
    "mcp.servers": "Servers outside, or other settings for the five that are built in.",
    "mcp.servers.NAME.transport": "By default `http` with a `url`, `stdio` with a `command`, else `builtin`.",
    "mcp.servers.NAME.url": "Address of a Streamable HTTP server.",
    "mcp.servers.NAME.headers": "Further headers sent to it.",
    "mcp.servers.NAME.private": "Its address may be of a private network or of this machine.",
    "mcp.servers.NAME.command": "Program that speaks MCP on its standard input and output.",
    "mcp.servers.NAME.args": "Its arguments.",
    "mcp.servers.NAME.env": "Its environment, beside HOME, LOGNAME, PATH, SHELL, TERM and USER; there is no more.",
    "mcp.servers.NAME.timeout_ms": "How long a call may take; 60,000 for sequential-thinking where it is not set.",
    "mcp.servers.NAME.idle_seconds": "A program that was not called for so long is stopped, and started when needed.",
    "mcp.servers.NAME.stateful": "One program for each client, because it remembers things between calls.",
    "mcp.servers.NAME.tools": "Names of the tools that may be used; `*` stands for anything; empty: all.",
    "mcp.fast_filesystem.roots": "Folders that fast-filesystem and json-query reach; none: nothing.",
    "mcp.fast_filesystem.writable": "Whether fast-filesystem may write.",
    "rate_limit.mode": "`observe` counts, `enforce` refuses with 429, `wait` delays first ([limits](limits.md)).",
    "rate_limit.max_rpm": "Completions in any 60 seconds, of all clients together; 0 for no limit.",
    "rate_limit.max_wait_ms": "Longest delay with `wait`, before the 429.",
    "keys.NAME.key": "A client's key, as in `server.client_keys`; NAME is shown for what it does.",
    "keys.NAME.budget": "What this key may use on a UTC day, in the place of `budgets.key`.",
    "budgets.output_tokens": "Reserved for an answer where neither request nor model says how long it may be.",
    "budgets.unpriced": "`refuse`: where dollars are limited, a model without a price is not served.",
    "keys.NAME.budget.tokens": "Input and output tokens that this key may use on a UTC day; 0 for no limit.",
    "keys.NAME.budget.usd": "US dollars that this key may use on a UTC day; 0 for no limit.",
    "keys.NAME.budget.requests": "Requests that this key may use on a UTC day; 0 for no limit.",
    "budgets.session.tokens": "Input and output tokens that each session may use, for ever; 0 for no limit.",
    "budgets.session.usd": "US dollars that each session may use, for ever; 0 for no limit.",
    "budgets.session.requests": "Requests that each session may use, for ever; 0 for no limit.",
    "budgets.day.tokens": "Input and output tokens that all requests of a UTC day may use; 0 for no limit.",
    "budgets.day.usd": "US dollars that all requests of a UTC day may use; 0 for no limit.",
    "budgets.day.requests": "Requests that all requests of a UTC day may use; 0 for no limit.",
    "budgets.key.tokens": "Input and output tokens that each named key may use on a UTC day; 0 for no limit.",
    "budgets.key.usd": "US dollars that each named key may use on a UTC day; 0 for no limit.",
    "budgets.key.requests": "Requests that each named key may use on a UTC day; 0 for no limit.",
    "keys.NAME.max_rpm": "Its completions in any 60 seconds; 0 for no limit.",
    "recording.log_watcher": "Tell clients of `/ws` what Continue's log says of tokens; nothing is stored.",
    "recording.log_watcher_path": "Where that log is.",
    "models.NAME.price.cache_read": "Per million prompt tokens read from the provider's cache; absent: as input.",
    "models.NAME.price.cache_write": "Per million prompt tokens written to the provider's cache; absent: as input.",
    "models.NAME.price.cache_write_1h": "The same, where they are kept for an hour; absent: as cache_write.",
    "prices.file": "Dated prices (TOML), beside this file; see [usage](usage.md).",
    "recording.contents": "Store message bodies; false keeps hashes and counts only.",
    "recording.durability": "`power`: each exchange waits for the disk before its first byte goes to the client.",
    "recording.commit": "`before_upstream`: an exchange is committed before the provider is called.",
    "recording.idempotency_hours": "How long an `Idempotency-Key` holds; the same write within it appends nothing.",
}


def settings() -> dict[str, dict[str, Any]]:
    """Each setting by its dotted name, with its JSON schema."""
    found = {"default_model": _schema(FileModel)["default_model"]}
    for prefix, model in _TABLES:
        found |= {f"{prefix}.{key}": schema for key, schema in _schema(model).items()}
    return found


def page() -> str:
    """Markdown: one table for each section. Raises KeyError for a setting without a meaning."""
    known = settings()
    blocks = ["## Top level", _table({"default_model": known["default_model"]}, "")]
    for prefix, model in _TABLES:
        blocks += [
            f"## [{prefix}]",
            _table({f"{prefix}.{key}": known[f"{prefix}.{key}"] for key in _schema(model)}, f"{prefix}."),
        ]
    return "\n\n".join(blocks)


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    properties: dict[str, Any] = model.model_json_schema()["properties"]
    return {name: schema for name, schema in properties.items() if "$ref" not in schema}  # those have their own table


def _table(rows: dict[str, dict[str, Any]], prefix: str) -> str:
    lines = [
        f"| `{name.removeprefix(prefix)}` | {_type(schema)} | {_default(schema)} | {MEANINGS[name]} |"
        for name, schema in rows.items()
    ]
    return "\n".join(["| key | type | default | meaning |", "|--|--|--|--|", *lines])


def _type(schema: dict[str, Any]) -> str:
    options = [part for part in schema.get("anyOf", [schema]) if part.get("type") != "null"]
    return " or ".join(_one_type(part) for part in options)


def _one_type(schema: dict[str, Any]) -> str:
    if "const" in schema or "enum" in schema:
        return " or ".join(f'`"{value}"`' for value in schema.get("enum", [schema.get("const")]))
    if "$ref" in schema:
        return "table"
    if schema["type"] == "array":
        return f"list of {schema['items']['type']}s"
    words = {"object": "table of strings"}
    return words.get(schema["type"], str(schema["type"])) + _limits(schema)


def _limits(schema: dict[str, Any]) -> str:
    if "maximum" not in schema:
        return ""
    low = f"{schema['minimum']:,}" if "minimum" in schema else f"more than {schema['exclusiveMinimum']:,}"
    return f", {low} to {schema['maximum']:,}"


def _default(schema: dict[str, Any]) -> str:
    if "default" not in schema:
        return "required"
    default = schema["default"]
    return "" if default is None or default == "" else f"`{_toml(default)}`"


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)
