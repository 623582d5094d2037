"""The shared types of the contract (section 2), in its notation."""

from tests.contract.notation import Notation

_SESSION = (
    "id, name, provider, model:str?, created_at, is_active, reserved_tokens, compaction_count,"
    " last_compaction_at:time?, auto_compaction_enabled:bool, auto_compaction_threshold:number,"
    " consecutive_auto_compactions:int, parent_id:int?, client_family:str?, position, erased_at:time?,"
    ' origin:"manual"/"auto"/"header"'
)
_METRIC = (
    "id, session_id, timestamp, estimated_tokens, percentage, content_preview, prompt_tokens, completion_tokens,"
    ' is_estimated, source:"proxy", memory_tokens, chat_tokens, memory_ratio, model, provider, outcome,'
    " cached_tokens:int?, duration_ms:number?, cost_usd:number?"
)
_MSG_DIFF = "{added:Msg[], removed:Msg[], rewritten:{ref_before, ref_after, stage}[]}"
_OUTCOME = '"running"/"completed"/"failed"/"cancelled"/"interrupted"'
_USAGE = (
    '{source:"measured"/"estimated"/"none", prompt_tokens, completion_tokens, total_tokens, cached_tokens:int?,'
    " cache_write_tokens:int?, reasoning_tokens:int?}"
)
_EXCHANGE = (
    f"id, session_id, started_at, finished_at:time?, outcome:{_OUTCOME}, stream:bool, model_requested:str?, model_sent,"
    " provider, resolution:{rule, branch:str?, parent_id:int?}, client_family:str?,"
    " received:{count, tokens%s}, sent:{count, tokens, identical:bool%s},"
    " reduction:{applied:bool, skipped_reason:str?, tokens_before, tokens_after, tokens_saved, steps:object[]},"
    f" usage:{_USAGE}, cost_usd:number?, timings:{{overhead_ms, ttft_ms:number?, duration_ms:number?}},"
    " http_status:int?, finish_reason:str?, error:{code, message}?, attempts:int, moved_from:int?,"
    " tries:{provider, model, http_status:int?, error_code:str?, duration_ms, waited_ms:number?}[],"
    " positions:{started:int, finished:int?}"
)
_SUMMARY = (
    'position, type, session_id:int?, timestamp, actor:"api"/"proxy"/"ws"/"mcp"/"system", correlation_id:str?,'
    " causation_position:int?, summary, by:str?"
)
_HISTORY = (
    "id, session_id, timestamp, tokens_before:int, tokens_after:int, tokens_saved, preserved_messages,"
    ' summarized_messages:int, compaction_ratio, trigger_reason:"manual"/"auto_threshold", position,'
    " reverted_at:time?, removed_refs, summary_ref:str?"
)
_EVENT = f"{_SUMMARY}, version:int, data:object, hash, prev_hash"

NOTATION = Notation(
    {
        "Session": f"{{{_SESSION}}}",
        "SessionX": f"{{{_SESSION}, max_context, provider_known:bool}}",
        "Metric": f"{{{_METRIC}}}",
        "Stats": "{total_requests, max_tokens:int?, avg_tokens:number?, current_input_tokens, current_output_tokens,"
        " current_total_tokens, cumulative_input_tokens, cumulative_output_tokens, cumulative_total_tokens}",
        "MemStat": "{memory_tokens, chat_tokens, memory_ratio}",
        "ProviderRef": "{key, name, color, icon, info:object}",
        "CtxState": "{current_tokens, max_context, percentage, reserved_tokens, percentage_with_reserved,"
        " compaction_ready:bool, threshold:int}",
        "Msg": '{index:int, ref, role, content:any, truncated:bool, tokens, pinned:bool, origin:"client"/"assistant"/'
        '"proxy", reduction:{stage, mask_hash:str?, tokens_before, tokens_after}?}',
        "Listed": f"{{{_EXCHANGE % ('', '')}}}",
        "Exchange": f"{{{_EXCHANGE % (', refs', ', refs')}, diff:{_MSG_DIFF}, answer_ref:str?, other_refs}}",
        "EventSummary": f"{{{_SUMMARY}}}",
        "Event": f"{{{_EVENT}, changes:{{entity, field, before:any, after:any}}[],"
        " refs:{ref, role:str?, preview:str?, tokens}[]}",
        "Model": "{key, model, name, provider, max_context_size:int, capabilities}",
        "Detail": "{session:SessionX, provider:ProviderRef, memory:MemStat, stats:Stats, recent_metrics:Metric[],"
        " context:CtxState}",
        "Deleted": "{success, deleted_count, failed_ids, results:{deleted_count, failed_ids}}",
        "CompResult": "{compacted:bool, session_id, original_tokens:int, compacted_tokens:int, tokens_saved,"
        " compaction_ratio, messages_before, messages_after, system_preserved:int, recent_preserved:int,"
        " summarized_count, timestamp, summary_text?:str, reason?:str}",
        "CompState": "{session_id, reserved_tokens, compaction_count, last_compaction_at:time?,"
        " auto_compaction_enabled:bool, auto_compaction_threshold:number, consecutive_auto_compactions:int,"
        f" history:{{{_HISTORY}}}[], total_tokens_saved}}",
        "HistoryRow": f"{{{_HISTORY}, cumulative_saved:int}}",
        "CompTotals": "{total_compressions, total_original_tokens, total_compressed_tokens, avg_compression_ratio}",
        "Compressed": "{compressed:bool, session_id, original_tokens:int, compressed_tokens:int, tokens_saved,"
        " compression_ratio, messages_before, messages_after, system_preserved:int, recent_preserved:int, log_id?,"
        ' summary?, reason?:"no_messages"/"insufficient_messages"}',
        "Server": "{name, type, url, connected:bool, last_check:time, latency_ms, error_count, capabilities,"
        ' phase:"phase3"/"phase4", tool_count, error:str?}',
        "MsgDiff": _MSG_DIFF,
        "Rate": "{current_rpm:int, max_rpm, percentage}",
    }
)
