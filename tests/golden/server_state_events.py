"""Of the golden log: what the MCP servers in process remember."""

from schema.recorded import Body, NewEvent
from schema.server_state import ContextDeleted, ContextStored, ContextUpdated, TextPruned, ThoughtRecorded


def server_state_events(question: Body, answer: Body) -> tuple[NewEvent, ...]:
    return (
        NewEvent(
            "gateway",
            ThoughtRecorded(
                session_id=1,
                key="0" * 32,
                number=2,
                total=3,
                next_needed=True,
                is_revision=True,
                revises=1,
                branch_from=1,
                needs_more=True,
                thought="Grüße",
                branch="other way",
            ),
        ),
        NewEvent("gateway", ThoughtRecorded(key="1" * 32, number=1, total=1, next_needed=False, thought="alone")),
        NewEvent(
            "gateway",
            ContextStored(
                session_id=1,
                context_id="ctx_0123456789abcdef",
                content_ref=question.ref,
                is_json=True,
                original_size=36,
                compressed_size=40,
                title="Grüße",
                tags='["a","b"]',
            ),
            (question,),
        ),
        NewEvent(
            "gateway",
            ContextUpdated(
                session_id=1,
                context_id="ctx_0123456789abcdef",
                content_ref=answer.ref,
                is_json=True,
                original_size=20,
                compressed_size=29,
                title="new",
                tags="[]",
            ),
            (answer,),
        ),
        NewEvent("gateway", ContextUpdated(session_id=1, context_id="ctx_0123456789abcdef", title="newer")),
        NewEvent("gateway", ContextDeleted(session_id=1, context_id="ctx_0123456789abcdef")),
        NewEvent(
            "gateway",
            TextPruned(
                session_id=1,
                prune_id="prn_0123456789abcdef",
                text_ref=question.ref,
                source_type="logs",
                original_lines=100,
                removed=((2, 40), (50, 99)),
                used_fallback=True,
                goal="the error",
            ),
            (question,),
        ),
    )
