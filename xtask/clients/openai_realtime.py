"""OpenAI Python SDK, Realtime over WebSocket: a tool turn, then its result and a turn in words.

Each response is asked for without a word; what it is about was put into the conversation before.
"""

import asyncio
import json

import openai

MODEL = "gpt-realtime"
TOOL = {"type": "function", "name": "weather", "parameters": {"type": "object", "properties": {}}}


async def turn(socket, item):
    await socket.conversation.item.create(item=item)
    await socket.response.create()
    text, events, tools = "", 0, []
    async for event in socket:
        events += 1
        if event.type == "response.output_text.delta":
            text += event.delta
        elif event.type == "error":
            raise SystemExit(f"the turn ended with {event.to_json()}")
        elif event.type == "response.output_item.done" and event.item.type == "function_call":
            tools.append(event.item.call_id)
        elif event.type == "response.done":
            done = event.response
            break
    return {
        "id": done.id,
        "model": MODEL,
        "text": text,
        "events": events,
        "input_tokens": done.usage.input_tokens,
        "output_tokens": done.usage.output_tokens,
        "tool_calls": tools,
    }


async def main():
    client = openai.AsyncOpenAI(max_retries=0, timeout=20)
    async with client.realtime.connect(model=MODEL) as socket:
        await socket.session.update(
            session={"type": "realtime", "output_modalities": ["text"], "tools": [TOOL]}
        )
        words = [{"type": "input_text", "text": "What is the weather?"}]
        first = await turn(socket, {"type": "message", "role": "user", "content": words})
        output = {"type": "function_call_output", "call_id": first["tool_calls"][0], "output": "rain"}
        second = await turn(socket, output)
    print(json.dumps({"client": f"openai-python {openai.__version__}", "calls": [first, second]}))


asyncio.run(main())
