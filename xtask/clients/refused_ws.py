"""OpenAI Python SDK, Responses over WebSocket: one turn, nothing set that a user would not set."""

import asyncio

import openai


async def main():
    async with openai.AsyncOpenAI().responses.connect() as socket:
        await socket.response.create(model="gpt-5.5", input="Say something short.", store=False)
        async for event in socket:
            if event.type == "response.failed":
                raise SystemExit(f"{event.type}: {event.response.error.code}: {event.response.error.message}")
            if event.type == "error":
                raise SystemExit(event.to_json(indent=None))
            if event.type == "response.completed":
                print(event.response.output_text)
                return
    raise SystemExit("the socket ended without an answer and without an error")


asyncio.run(main())
