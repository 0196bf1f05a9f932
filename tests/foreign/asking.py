"""Ask an OpenAI-compatible server with `litellm`, as a script of its users does; prints what came as JSON.

This runs in an environment that has it, and nothing of this project's.
"""

from __future__ import annotations

import json
import sys

import litellm

base, key, picture = sys.argv[1:]


def ask(content: object, **options: object):
    messages = [{"role": "user", "content": content}]
    return litellm.completion(
        model="openai/gpt-5.4", api_base=base, api_key=key, messages=messages, num_retries=0, max_retries=0, **options
    )


def failed(content: object, **options: object) -> list[str]:
    try:
        text = "".join(chunk.choices[0].delta.content or "" for chunk in ask(content, stream=True, **options))
    except Exception as error:  # noqa: BLE001  # which one it is is the question
        return [type(error).__name__, str(error)]
    return ["nothing", text]


whole = ask([{"type": "text", "text": "Look:"}, {"type": "image_url", "image_url": {"url": picture}}])
chunks = list(ask("Hello", stream=True, stream_options={"include_usage": True}))
answers = {
    "whole": [whole.choices[0].message.content, whole.choices[0].finish_reason, whole.usage.total_tokens],
    "streamed": "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices),
    "usage": chunks[-1].usage.total_tokens,
    "reasoning": ask("sandbox: think 40").choices[0].message.reasoning_content,
    "rule": failed("Hello", top_p=7),
    "busy": failed("sandbox: status 429\nsandbox: retry-after 0"),
    "middle": failed("sandbox: error 40"),
}
print(json.dumps(answers))  # noqa: T201
