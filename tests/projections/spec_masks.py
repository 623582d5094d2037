"""What was masked, and what stands for what."""

from projections.masks import MASKS
from schema.compaction import LeftOut
from schema.context import ContentMasked, ContentRetrieved, OutputsMasked
from tests.projections.building import START_MS, compacted, compressed, replaced_output
from tests.projections.spec import Spec

SPECS = (
    Spec(
        title="each text once for each session, each replacement once",
        projection=MASKS,
        given=(
            ContentMasked(session_id=5, stage="truncate", output=replaced_output("a", after=90), preview="begin"),
            OutputsMasked(
                session_id=5,
                outputs=(replaced_output("a", "later", after=20), replaced_output("b", after=30)),
                tokens_saved=150,
                trigger="cache_price",
                previews='["begin","other"]',
            ),
        ),
        select="SELECT position, number, hash, tool, tokens, created_at, preview FROM masks ORDER BY 1, 2",
        rows=[
            (1, 0, "hash-a", "bash", 100, START_MS + 1000, "begin"),
            (2, 1, "hash-b", "bash", 100, START_MS + 2000, "other"),
        ],
    ),
    Spec(
        title="what went upstream says what it stands for",
        projection=MASKS,
        given=(
            ContentMasked(session_id=5, stage="truncate", output=replaced_output("a", after=90)),
            OutputsMasked(
                session_id=5, outputs=(replaced_output("a", "later", after=20),), tokens_saved=80, trigger="idle"
            ),
        ),
        select="SELECT replacement_ref, ref, stage, tokens_after, position FROM replacements ORDER BY position",
        rows=[("for-a", "ref-a", "truncate", 90, 1), ("later", "ref-a", "mask", 20, 2)],
    ),
    Spec(
        title="what a digest names is there like what a mask names",
        projection=MASKS,
        given=(
            compacted(1, 5, outputs=(LeftOut("hash-a", "ref-a", "bash", 100),), previews='["begin"]'),
            compressed(2, 5, outputs=(LeftOut("hash-b", "ref-b", "read", 50),)),
        ),
        select="SELECT position, hash, ref, tool, tokens, preview FROM masks ORDER BY 1",
        rows=[(1, "hash-a", "ref-a", "bash", 100, "begin"), (2, "hash-b", "ref-b", "read", 50, None)],
    ),
    Spec(
        title="who asked for it is counted",
        projection=MASKS,
        given=(ContentRetrieved(session_id=5, hash="hash-a", retrieved_by="user"),),
        select="SELECT * FROM mask_retrievals",
        rows=[(1, 5, "hash-a")],
    ),
)
