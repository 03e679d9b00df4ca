"""Anthropic Python SDK, Messages streamed (SSE): a tool call, then the turn that carries its result."""

import json

import anthropic

client = anthropic.Anthropic(max_retries=0, timeout=20)
tools = [
    {
        "name": "weather",
        "description": "The weather of a city.",
        "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    }
]
messages = [{"role": "user", "content": "What is the weather in Bern?"}]
calls = []
for _ in range(2):
    events = 0
    with client.messages.stream(model="claude-sonnet-4-5", max_tokens=256, tools=tools, messages=messages) as stream:
        for _event in stream:
            events += 1
        done = stream.get_final_message()
    uses = [block for block in done.content if block.type == "tool_use"]
    usage = done.usage
    calls.append(
        {
            "id": done.id,
            "model": done.model,
            "text": "".join(block.text for block in done.content if block.type == "text"),
            "events": events,
            "tool_calls": [use.id for use in uses],
            "input_tokens": usage.input_tokens
            + (usage.cache_read_input_tokens or 0)
            + (usage.cache_creation_input_tokens or 0),
            "output_tokens": usage.output_tokens,
        }
    )
    messages += [
        {"role": "assistant", "content": [block.to_dict() for block in done.content]},
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": use.id, "content": "12 degrees"} for use in uses],
        },
    ]
print(json.dumps({"client": f"anthropic {anthropic.__version__}", "calls": calls}))
