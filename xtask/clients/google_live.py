"""Google GenAI Python SDK, Gemini Live: a turn with a tool in it, and one of words alone."""

import asyncio
import json

from google import genai
from google.genai import types

MODEL = "gemini-live-2.5-flash-preview"
TOOLS = [{"function_declarations": [{"name": "lights"}]}]


async def turn(session, words):
    content = types.Content(role="user", parts=[types.Part(text=words)])
    await session.send_client_content(turns=content, turn_complete=True)
    text, events, tools, usage = "", 0, [], None
    async for message in session.receive():
        events += 1
        text += message.text or ""
        usage = message.usage_metadata or usage
        for call in message.tool_call.function_calls if message.tool_call else ():
            tools.append(call.id)
            answer = types.FunctionResponse(id=call.id, name=call.name, response={"done": True})
            await session.send_tool_response(function_responses=[answer])
    return {
        "id": "",
        "model": MODEL,
        "text": text,
        "events": events,
        "input_tokens": usage.prompt_token_count,
        "output_tokens": usage.response_token_count + (usage.thoughts_token_count or 0),
        "tool_calls": tools,
    }


async def main():
    client = genai.Client()
    config = {"response_modalities": ["TEXT"], "tools": TOOLS}
    async with client.aio.live.connect(model=MODEL, config=config) as session:
        calls = [await turn(session, "Lights on, please."), await turn(session, "And say so.")]
    print(json.dumps({"client": f"google-genai {genai.__version__}", "calls": calls}))


asyncio.run(main())
