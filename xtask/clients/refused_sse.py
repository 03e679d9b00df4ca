"""OpenAI Python SDK, Responses over HTTP: one streamed turn, nothing set that a user would not set."""

import openai

request = {"model": "gpt-5.5", "input": "Say something short."}
for event in openai.OpenAI().responses.create(**request, stream=True):
    if event.type == "response.failed":
        raise SystemExit(f"{event.type}: {event.response.error.code}: {event.response.error.message}")
    if event.type == "error":
        raise SystemExit(event.to_json(indent=None))
    if event.type == "response.completed":
        print(event.response.output_text)
        break
else:
    raise SystemExit("the stream ended without an answer and without an error")
