"""Random bodies for what reads answers: nothing but an error of ours may come of them.

    python tests/benchmarks/fuzz.py [--inputs 1000000] [--seed 0] [--processes 2] [--begin 0] [--quick]

An input is made of fragments of answers and of raw bytes, and comes in random chunks. Half of them go to the decoder,
which goes on after an error of ours, half take the way of a real body (a stream, JSON, a record in each line), and some
are a refusal or a list of models. The same seed gives the same inputs. An exception that is not ours ends it, with the
input's repr and exit code 1.
`--quick` reads 20,000.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING

from xcyq_magic.chat.completion import CompletionBuilder
from xcyq_magic.errors import XcyqError
from xcyq_magic.gateway import wire
from xcyq_magic.gateway.credentials import ApiKey
from xcyq_magic.gateway.events import EventDecoder
from xcyq_magic.gateway.receive import receive
from xcyq_magic.gateway.refusals import status_error
from xcyq_magic.gateway.repairs import repair_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from xcyq_magic.chat.completion import Delta

BATCH = 5000
QUICK = 20_000
HALF = 0.45
KEY = ApiKey("sk-5ecret-0123456789")

# A picture of one pixel.
PICTURE = (
    "data:image/png;base64,"
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
VALUES: list[object] = [
    None,
    True,
    0,
    -1,
    1e308,
    10**400,
    "",
    "Hello",
    "\ud83d",
    "\u2028\u0085",
    "stop",
    "length",
    [],
    {},
    [None],
    [[]],
    {"message": "Overloaded"},
    {"message": {"message": ["x"]}},
    {"error": {"error": "deep"}},
    [{"type": "text", "text": "Hi"}],
    [{"type": "text", "text": 1}],
    {"prompt_tokens": 1, "completion_tokens": "2", "total_tokens": None},
    PICTURE,
    f"![a]({PICTURE}",
    f"![a]({PICTURE}) <img src='{PICTURE}'",
    {"url": PICTURE},
    [{"type": "image_url", "image_url": {"url": PICTURE}}],
    {"mime_type": "image/png", "data": "iVBORw0KGgo"},
    "<think>",
    "</think>",
    "https://pictures.example/a.png",
]
KEYS = [
    "choices",
    "delta",
    "message",
    "content",
    "reasoning",
    "reasoning_content",
    "usage",
    "finish_reason",
    "error",
    "model",
    "id",
    "created",
    "index",
    "role",
    "object",
    "detail",
    "images",
    "image",
    "image_url",
    "url",
    "inline_data",
    "b64_json",
    "refusal",
    "tool_calls",
    "function",
    "code",
    "msg",
    "success",
    "data",
    "text",
    "type",
]
PIECES = [
    b"data: ",
    b"data:",
    b"data",
    b"event: error\n",
    b"event: ping\r\n",
    b"event:",
    b"id: 1\n",
    b"retry: 3\r",
    b": PING\n\n",
    b":",
    b"\n",
    b"\r",
    b"\r\n",
    b"\n\n",
    b"\r\n\r\n",
    b"\xef\xbb\xbf",
    b"[DONE]",
    b"data: [DONE]\n\n",
    b"{",
    b"}",
    b"[" * 50,
    b"null",
    b"NaN",
    b"1e999",
    b"-",
    b'"',
    b'"\\ud83d',
    b"\\",
    b"\xe2\x80\xa8",
    b"\xc2\x85",
    b"\xff",
    b"\x00",
    b"\x1f\x8b",
    b"<html>",
    b"![x](data:image/png;base64,",
    PICTURE.encode(),
    b")",
    b'{"choices": [{"message": {"content": "Hi"}}]}',
    b'{"data": [{"id": "a"}]}',
    b"data: " + b"9" * 5000 + b"\n\n",
    b"data: " + b"[" * 3000 + b"\n\n",
]


def value(chance: random.Random, depth: int = 0) -> object:
    """Something that may stand in the JSON of a chunk."""
    kind = chance.random()
    if depth > 3 or kind < 0.5:
        return chance.choice(VALUES)
    if kind < 0.7:
        return [value(chance, depth + 1) for _ in range(chance.randrange(3))]
    return {chance.choice(KEYS): value(chance, depth + 1) for _ in range(chance.randrange(4))}


def chunk(chance: random.Random) -> object:
    """What looks like a chunk, with something odd in it."""
    delta = {chance.choice(KEYS): value(chance, 2) for _ in range(2)}
    choice = {"index": 0, "delta": delta, "finish_reason": chance.choice(VALUES)}
    return {"choices": [choice], chance.choice(KEYS): value(chance, 2)}


def records(chance: random.Random, count: int) -> list[bytes]:
    """Data lines; made once, because writing JSON is the slowest part."""
    return [
        b"data: %s\n\n" % json.dumps(chunk(chance) if chance.random() < 0.6 else value(chance)).encode()
        for _ in range(count)
    ]


def damaged(chance: random.Random, text: bytes) -> bytes:
    """The text with one byte changed, lost or doubled."""
    at = chance.randrange(len(text))
    return text[:at] + chance.choice([b"", chance.randbytes(1), text[at : at + 1] * 2]) + text[at + 1 :]


def stream(chance: random.Random, lines: list[bytes]) -> bytes:
    """One input."""
    parts = []
    for _ in range(chance.randrange(1, 9)):
        kind = chance.random()
        if kind < 0.4:
            parts.append(chance.choice(PIECES))
        elif kind < 0.7:
            parts.append(chance.choice(lines))
        elif kind < 0.9:
            parts.append(damaged(chance, chance.choice(lines)))
        else:
            parts.append(chance.randbytes(chance.randrange(1, 40)))
    return b"".join(parts)


def chunks(chance: random.Random, body: bytes) -> list[bytes]:
    """The body cut in a few places."""
    cuts = sorted(chance.randrange(len(body) + 1) for _ in range(chance.randrange(5)))
    return [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]


def read(pieces: list[bytes], counts: Counter[str]) -> None:
    """Decode one input to its end, going on after an error of ours."""
    decoder, answer, builder = EventDecoder(), wire.AnswerDecoder(), CompletionBuilder()
    for piece in [*pieces, None]:
        events = decoder.flush() if piece is None else decoder.decode(piece)
        for event in events:
            counts["events"] += 1
            try:
                for delta in answer.event(event):
                    counts["deltas"] += 1
                    builder.add(delta)
            except XcyqError as e:
                counts[type(e).__name__] += 1
                str(e).encode()  # it can be shown
    builder.add(answer.flush())
    json.dumps(builder.build("asked").to_dict(), ensure_ascii=False).encode()  # it can be kept and sent


def read_body(pieces: list[bytes], counts: Counter[str]) -> None:
    """Read one input as the body of an answer."""
    builder = CompletionBuilder()

    def take(deltas: list[Delta]) -> None:
        counts["deltas"] += len(deltas)
        for delta in deltas:
            builder.add(delta)

    async def come() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    try:
        receive(come(), take, KEY).send(None)  # it never waits, so there is no need of an event loop
    except StopIteration:
        counts["bodies read whole"] += 1
    except XcyqError as e:
        counts[type(e).__name__] += 1
        str(e).encode()
    json.dumps(builder.build("asked").to_dict(), ensure_ascii=False).encode()


def read_other(body: bytes, counts: Counter[str]) -> None:
    """Read one input as a refusal, and as a list of models."""
    repair_for(status_error(400, body), {"temperature": 1, "max_tokens": 5, "stream_options": {"include_usage": True}})
    try:
        "".join(wire.models_of(body, KEY.hide)).encode()
    except XcyqError as e:
        counts[type(e).__name__] += 1


def batch(job: tuple[int, int, int]) -> tuple[Counter[str], str]:
    """Counts of one batch, and the failure that ended it, if one did."""
    seed, number, inputs = job
    chance = random.Random(f"{seed}/{number}")  # noqa: S311  # no secret
    lines = records(chance, 100)
    counts: Counter[str] = Counter()
    for _ in range(inputs):
        body = stream(chance, lines)
        pieces = chunks(chance, body)
        counts["inputs"] += 1
        counts["bytes"] += len(body)
        try:
            kind = chance.random()
            if kind < HALF:
                read(pieces, counts)
            elif kind < 2 * HALF:
                read_body(pieces, counts)
            else:
                read_other(body, counts)
        except Exception as e:  # noqa: BLE001  # this is what it looks for
            return counts, f"{type(e).__name__}: {e}\nchunks: {pieces!r}"
    return counts, ""


def main() -> int:
    """Feed the decoder, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--begin", type=int, default=0, help="the number of the first batch, to go on in pieces")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    inputs = QUICK if options.quick else options.inputs
    sizes = [min(BATCH, inputs - n * BATCH) for n in range(-(-inputs // BATCH))]
    jobs = [(options.seed, options.begin + n, size) for n, size in enumerate(sizes)]
    started, total, failures = time.monotonic(), Counter[str](), []
    with multiprocessing.get_context("spawn").Pool(options.processes) as pool:
        for counts, failure in pool.imap_unordered(batch, jobs):
            total += counts
            failures += [failure] if failure else []
    ours = sorted(name for name in total if name.endswith("Error"))
    print("| random bodies | |\n|---|--:|")
    for name in ("inputs", "bytes", "events", "deltas", "bodies read whole", *ours):
        print(f"| {name} | {total[name]:,} |")
    print(f"| other exceptions | {len(failures)} |")
    print(f"| seed | {options.seed} |")
    print(f"| seconds | {time.monotonic() - started:.0f} |")
    for failure in failures:
        print(failure, file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
