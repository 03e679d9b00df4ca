"""OpenAI Python SDK, Responses over HTTP: the model list, one streamed turn (SSE), one plain JSON turn."""

import json

import openai

client = openai.OpenAI(max_retries=0, timeout=20)
models = [model.id for model in client.models.list()]
calls = []


def note(done, text, events):
    calls.append(
        {
            "id": done.id,
            "model": done.model,
            "text": text,
            "events": events,
            "input_tokens": done.usage.input_tokens,
            "output_tokens": done.usage.output_tokens,
        }
    )


text, events, done = "", 0, None
for event in client.responses.create(model="gpt-5.5", input="Say something short.", stream=True):
    events += 1
    if event.type == "response.output_text.delta":
        text += event.delta
    elif event.type == "response.completed":
        done = event.response
note(done, text, events)
done = client.responses.create(model="gpt-5.5", input="Now in one piece.")
note(done, done.output_text, 1)
print(json.dumps({"client": f"openai-python {openai.__version__}", "models": models, "calls": calls}))
