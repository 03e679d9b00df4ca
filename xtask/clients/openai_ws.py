"""OpenAI Python SDK, Responses over WebSocket: two turns on one socket.

The asynchronous client: the other one reads and writes one TLS connection from two threads at once,
which hangs one TLS 1.3 handshake in a hundred (seen with Python 3.11), with and without a proxy.
"""

import asyncio
import json

import openai


async def turn(socket, prompt, previous):
    await socket.response.create(model="gpt-5.5", input=prompt, store=False, **previous)
    text, events = "", 0
    async for event in socket:
        events += 1
        if event.type == "response.output_text.delta":
            text += event.delta
        elif event.type in ("response.failed", "response.incomplete", "error"):
            raise SystemExit(f"the turn ended with {event.to_json()}")
        elif event.type == "response.completed":
            done = event.response
            break
    return {
        "id": done.id,
        "model": done.model,
        "text": text,
        "events": events,
        "input_tokens": done.usage.input_tokens,
        "output_tokens": done.usage.output_tokens,
    }


async def main():
    client = openai.AsyncOpenAI(max_retries=0, timeout=20)
    async with client.responses.connect(max_retries=0) as socket:
        first = await turn(socket, "Say something short.", {})
        second = await turn(socket, "And once more.", {"previous_response_id": first["id"]})
    print(json.dumps({"client": f"openai-python {openai.__version__}", "calls": [first, second]}))


asyncio.run(main())
