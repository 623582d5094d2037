"""Cost of looking into a stream that passes: `python -m benchmarks.sse_scan [events]`.

CPU in microseconds per chunk of one event of about 250 bytes, of SseStream and of a parser that decodes each event, in
the same run, and the ratio of the two. The least of several rounds counts.
"""

import json
import sys
import time
from collections.abc import Callable

from proxy.sse import SseStream

_ROUNDS = 7


def chunks(count: int, usage: str) -> list[bytes]:
    """A stream of `count` content chunks; `usage` is the text that each ends with."""
    frame = (
        'data: {"id":"chatcmpl-0123456789abcdef","object":"chat.completion.chunk","created":1764000000,'
        '"model":"some-model","system_fingerprint":"fp_0123456789","choices":[{"index":0,'
        '"delta":{"content":" word%d"},"logprobs":null,"finish_reason":null}]%s}\n\n'
    )
    last = 'data: {"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":20,"total_tokens":30}}\n\n'
    texts = [frame % (number, usage) for number in range(count)]
    return [text.encode() for text in (*texts, last, "data: [DONE]\n\n")]


def scanned(stream: list[bytes], *, withhold: bool) -> object:
    scanner = SseStream(withhold_usage=withhold)
    for chunk in stream:
        scanner.feed(chunk)
    scanner.finish()
    return scanner.usage_raw


def parsed(stream: list[bytes]) -> object:
    usage = None
    for chunk in stream:
        for line in chunk.decode().splitlines():
            if line.startswith("data: {"):
                usage = json.loads(line[6:]).get("usage") or usage
    return usage


def cost(work: Callable[[list[bytes]], object], stream: list[bytes]) -> float:
    """Microseconds of CPU per chunk."""
    best = float("inf")
    for _ in range(_ROUNDS):
        begun = time.process_time()
        work(stream)
        best = min(best, time.process_time() - begun)
    return best / len(stream) * 1e6


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    variants = {
        "plain": "",
        "usage:null in every chunk": ',"usage":null',
        "usage in every chunk": ',"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}',
    }
    for name, usage in variants.items():
        stream = chunks(count, usage)
        naive = cost(parsed, stream)
        figures = [cost(lambda each, on=on: scanned(each, withhold=on), stream) for on in (False, True)]  # type: ignore[misc]
        text = ", ".join(
            f"{label} {figure:.2f} us/chunk ({naive / figure:.1f}x)"
            for label, figure in zip(("passing", "withholding"), figures, strict=True)
        )
        sys.stdout.write(f"{name}, {len(stream[0])} bytes: {text}, json.loads of every event {naive:.2f}\n")


if __name__ == "__main__":
    main()
