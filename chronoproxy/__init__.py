"""Chronoproxy, an event-sourced, OpenAI-compatible proxy between coding agents and LLM providers."""

__version__ = "0.1.0"
