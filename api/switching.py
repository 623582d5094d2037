"""Requests that ask for another protocol (RFC 9110, 7.8): a handshake of the WebSocket is handed over to it, every
other one is served as if it had not asked.

The parser stops behind the head of such a request and takes what follows for the other protocol, also where that is the
request's body. So where nothing is switched a new parser reads the head again, without what made the first one stop.
"""

from typing import cast

import httptools

from api.handshake import LIVE_PATH, asks_websocket, fault
from api.http_server import HttpProtocol, target_of
from api.websocket_server import PatientProtocol


class SwitchingProtocol(HttpProtocol):
    """One connection, until it is a WebSocket's. `stopped` is to be called when the parser has stopped."""

    def stopped(self) -> bool:
        """Whether the connection has gone over to the WebSocket. Else the request has begun, and what is behind its
        head can be fed. Raises httptools.HttpParserError."""
        if self._switches():
            self.handle_websocket_upgrade()
            return True
        method, version = self.scope["method"], self.scope["http_version"]
        if method == "CONNECT":  # it is no proxy of that kind, and would stop there again
            raise httptools.HttpParserError("CONNECT")
        asked = [pair for pair in self.headers if pair[0] == b"upgrade"]
        lines = b"".join(b"%b: %b\r\n" % pair for pair in self.headers if pair[0] != b"upgrade")
        head = b"%b %b HTTP/%b\r\n%b\r\n" % (method.encode(), self.url, version.encode(), lines)
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn has it
        self.parser.feed_data(head)
        self.headers += asked  # the same list as its scope's, which nobody has looked at yet
        return False

    def handle_websocket_upgrade(self) -> None:
        self.connections.discard(self)
        protocol = cast(type[PatientProtocol], self.ws_protocol_class)(
            config=self.config, server_state=self.server_state, app_state=self.app_state
        )
        path, raw_path, query = target_of(self.url)
        protocol.begin(self.transport, self.headers, {"path": path, "raw_path": raw_path, "query_string": query})
        self.transport.set_protocol(protocol)

    def _switches(self) -> bool:
        """A handshake that is in order, while nothing else is under way on the connection."""
        return (
            (self.cycle is None or self.cycle.response_complete)
            and self.scope["http_version"] == "1.1"
            and asks_websocket(self.headers)
            and target_of(self.url)[0] == LIVE_PATH
            and fault(self.scope["method"], self.headers) is None
        )

    def _should_upgrade(self) -> bool:
        """What asks for another protocol is left alone by uvicorn, until `stopped` has decided."""
        return True
