"""OpenAI Python SDK, Responses over WebSocket: two turns on one socket."""

import json

import openai

client = openai.OpenAI(max_retries=0, timeout=20)
calls = []
previous = None
with client.responses.connect(max_retries=0) as socket:
    for prompt in ("Say something short.", "And once more."):
        request = {"model": "gpt-5.5", "input": prompt, "store": False}
        if previous:
            request["previous_response_id"] = previous
        socket.response.create(**request)
        text, events = "", 0
        for event in socket:
            events += 1
            if event.type == "response.output_text.delta":
                text += event.delta
            elif event.type in ("response.failed", "response.incomplete", "error"):
                raise SystemExit(f"the turn ended with {event.to_json()}")
            elif event.type == "response.completed":
                done = event.response
                break
        previous = done.id
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
print(json.dumps({"client": f"openai-python {openai.__version__}", "calls": calls}))
