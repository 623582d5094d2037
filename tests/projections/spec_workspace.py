"""The settings of the workspace."""

from projections.workspace import WORKSPACE
from schema.context import SanitizerDisabled, SanitizerEnabled
from schema.workspace import AutoSessionDisabled, AutoSessionEnabled, ConfigurationLoaded, SessionActivated
from tests.projections.spec import Spec

SPECS = (
    Spec(
        title="an activation ends the one before it",
        projection=WORKSPACE,
        given=(SessionActivated(session_id=4), SessionActivated(session_id=7, previous_id=4)),
        select="SELECT from_position, to_position, session_id FROM active_session ORDER BY from_position",
        rows=[(1, 2, 4), (2, None, 7)],
    ),
    Spec(
        title="the switch for automatic sessions keeps its history",
        projection=WORKSPACE,
        given=(AutoSessionDisabled(), SessionActivated(session_id=1), AutoSessionEnabled()),
        select="SELECT from_position, to_position, enabled FROM auto_session ORDER BY from_position",
        rows=[(1, 3, 0), (3, None, 1)],
    ),
    Spec(
        title="each start's configuration stays",
        projection=WORKSPACE,
        given=(
            ConfigurationLoaded(values={"server": {"port": 1}}, hash="a"),
            AutoSessionDisabled(),
            ConfigurationLoaded(values={"server": {"port": 2}}, hash="b", given=("server.port",)),
        ),
        select="SELECT from_position, loaded FROM configurations ORDER BY from_position",
        rows=[
            (1, '{"values":{"server":{"port":1}},"given":[]}'),
            (3, '{"values":{"server":{"port":2}},"given":["server.port"]}'),
        ],
    ),
    Spec(
        title="the switch of the sanitizer keeps its history",
        projection=WORKSPACE,
        given=(SanitizerDisabled(), SanitizerEnabled()),
        select="SELECT from_position, to_position, enabled FROM sanitizer ORDER BY from_position",
        rows=[(1, 2, 0), (2, None, 1)],
    ),
)
