"""MCP: rules of JSON-RPC, the servers that run in process, and those outside that are supervised."""
