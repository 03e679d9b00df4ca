"""Google GenAI Python SDK, generateContent streamed (SSE) and in one piece."""

import json

from google import genai
from google.genai import types

client = genai.Client(http_options=types.HttpOptions(timeout=20_000))
calls = []


def note(last, text, events):
    usage = last.usage_metadata
    calls.append(
        {
            "id": last.response_id,
            "model": last.model_version,
            "text": text,
            "events": events,
            "input_tokens": usage.prompt_token_count,
            "output_tokens": usage.candidates_token_count + (usage.thoughts_token_count or 0),
        }
    )


text, events, last = "", 0, None
for chunk in client.models.generate_content_stream(model="gemini-2.5-flash", contents="Say something short."):
    text, events, last = text + (chunk.text or ""), events + 1, chunk
note(last, text, events)
last = client.models.generate_content(model="gemini-2.5-flash", contents="Now in one piece.")
note(last, last.text, 1)
print(json.dumps({"client": f"google-genai {genai.__version__}", "calls": calls}))
