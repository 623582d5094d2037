"""Readers of what clients on this machine wrote down about their own usage. Files are read, never written."""
