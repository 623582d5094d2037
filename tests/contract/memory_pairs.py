"""What is remembered (contract 3.6). `{memory_id}` is a memory of a session that is not active, `{forgotten_id}` one
that was forgotten, `{promoted_id}` one that was promoted; a session with memories is given by "remembering"."""

from tests.contract.pair import INVALID, Pair, get, post

_TYPE = 'memory_type:"episodic"/"frequent"/"semantic"'
_FREQUENT = (
    "{id:str, title, content:str?, content_preview, type, tokens:int, created_at, access_count, last_accessed:time,"
    f" session_id, {_TYPE}, token_count, last_accessed_at}}[]"
)
_ENTRY = (
    f"{{id, session_id, {_TYPE}, content_hash, content_preview, token_count, access_count, last_accessed_at,"
    " created_at, similarity_score, metadata:object}"
)
_GLOBAL = (
    "{total_memory_tokens, total_chat_tokens, total_tokens, global_memory_ratio, average_session_ratio,"
    " sessions_with_memory:int}"
)
_CHANGED = f"{{success, memory_id, session_id, {_TYPE}, forgotten:str?, changed:bool}}"
_TEXT = "The staging database listens on port 5433."

PAIRS: tuple[Pair, ...] = (
    post(
        "33", "/api/memory/similarity",
        "{query, results_count, results:{id:str, score, content_preview, metadata:object}[], qdrant_available,"
        ' method:"bm25"/"vector"/"hybrid"}',
        ("", {"query": ""}, 422, INVALID),
        body={"query": "which port has staging?", "score_threshold": 0.2, "session_id": "{session_id}"},
        given="remembering", events=("MemoryRecalled",),
    ),
    get(
        "29", "/api/sessions/{session_id}/memory",
        "{session_id, current:MemStat, history:{timestamp, memory_tokens, chat_tokens, memory_ratio}[], total}",
        ("?limit=501", None, 422, INVALID), at=True,
    ),
    get("30", "/api/memory/stats", _GLOBAL, ("?at=x", None, 422, INVALID), at=True),
    post(
        "34", "/api/memory/compress",
        '{original_tokens:int, compressed_tokens:int, compression_ratio, algorithm:"context_aware"/"extractive"/"zlib",'
        " decompression_time_ms, quality_score, compression_available, savings_percent:number, compressed_content}",
        ("", {"content": "text", "target_ratio": 0.95}, 422, INVALID),
        body={"content": "A line of text.\nAnother line of text that says more.\n" * 4},
    ),
    post(
        "37", "/api/memory/cluster/{session_id}",
        "{session_id, cluster_count, clusters:{id:str, center_id:str, memory_count, cohesion_score, topic_label,"
        " vector_dimension:int, memory_ids}[], qdrant_available}",
        ("", {"min_cluster_size": 11}, 422, INVALID), body={"min_cluster_size": 2}, given="remembering",
    ),
    get(
        "39", "/api/memory/stats/advanced",
        f"{{basic_stats:{_GLOBAL}?, advanced_stats:{{total_memories, frequent_memories:int, episodic_memories:int,"
        " semantic_memories:int, total_tokens, average_access_count:number, qdrant_connected}, servers:object[],"
        " features:{qdrant_available, compression_available, semantic_search:bool, advanced_compression:bool}}",
        ("?session_id=999", None, 404, "session_not_found"), at=True,
    ),
    post(
        "35", "/api/memory/store?session_id={session_id}",
        f"{{success, memory_id, {_TYPE}, content_hash, token_count, embedding_id:str?, created_at, deduplicated:bool,"
        " access_count}",
        ("", {"content": "   too short   "[:12]}, 422, INVALID),
        body={"content": _TEXT, "metadata": {"title": "staging"}}, events=("MemoryStored",),
    ),
    get(
        "36", "/api/memory/frequent?min_access_count=0", _FREQUENT, ("?limit=201", None, 422, INVALID), at=True,
        given="remembering",
    ),
    get(
        "36", "/api/memory/frequent?envelope=true", f"{{memories:{_FREQUENT}, total, limit, offset}}",
        ("?min_access_count=-1", None, 422, INVALID), at=True,
    ),
    get(
        "38", "/api/memory/similar/{session_id}?peek=true&query=staging+port",
        f"{{session_id, query, results_count, results:{_ENTRY}[]}}", ("?limit=51", None, 422, INVALID), at=True,
        given="remembering",
    ),
    post(
        "40", "/api/memory/cleanup?max_age_days=3650", "{deleted_count, max_age_days, timestamp}",
        ("&max_age_days=3651", None, 422, INVALID),
    ),
    post(
        "41", "/api/memory/promote-patterns/{session_id}", "{session_id, promoted_count, message}",
        ("", [], 400, "body_not_object"), given="recalled", events=("MemoryPromoted",),
    ),
    get(
        "M1", "/api/memory/{memory_id}",
        f"{{id, session_id, {_TYPE}, content:str?, content_ref:str, content_hash, token_count, access_count,"
        " last_accessed_at, created_at, metadata:object, forgotten:str?, superseded_by:int?,"
        " provenance:{position, origin, actor, by:str?, exchange_id:int?, message_ref:str?, supersedes:int[]}}",
        ("?at=x", None, 422, INVALID), at=True,
    ),
    Pair(
        row="M2", method="DELETE", path="/api/memory/{memory_id}", answer=_CHANGED, events=("MemoryForgotten",),
        bad=("", [], 400, "body_not_object"),
    ),
    post(
        "M3", "/api/memory/{forgotten_id}/restore", _CHANGED, ("", 7, 400, "body_not_object"),
        events=("MemoryRestored",),
    ),
    post(
        "M4", "/api/memory/{promoted_id}/demote", _CHANGED, ("", 7, 400, "body_not_object"), events=("MemoryDemoted",)
    ),
)  # fmt: skip
