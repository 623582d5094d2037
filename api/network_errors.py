"""What httpx raises for a proxy or certificates of the environment that it cannot use."""

import httpx

UNUSABLE = (httpx.InvalidURL, ValueError, OSError, ImportError)
