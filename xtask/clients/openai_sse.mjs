// OpenAI Node SDK, Responses over HTTP: one streamed turn (SSE), one plain JSON turn.
// The fetch of Node 20 reads no HTTPS_PROXY; with one set, this client gets undici's fetch through the SDK's own option.
import OpenAI from 'openai';
import { VERSION } from 'openai/version';
import { EnvHttpProxyAgent, fetch } from 'undici';

const proxied = process.env.HTTPS_PROXY && { fetch, fetchOptions: { dispatcher: new EnvHttpProxyAgent() } };
const client = new OpenAI({ maxRetries: 0, timeout: 20_000, ...proxied });
const calls = [];
const note = (done, text, events) =>
  calls.push({
    id: done.id,
    model: done.model,
    text,
    events,
    input_tokens: done.usage.input_tokens,
    output_tokens: done.usage.output_tokens,
  });

let text = '';
let events = 0;
let done;
for await (const event of await client.responses.create({ model: 'gpt-5.5', input: 'Say something short.', stream: true })) {
  events += 1;
  if (event.type === 'response.output_text.delta') text += event.delta;
  if (event.type === 'response.completed') done = event.response;
}
note(done, text, events);
done = await client.responses.create({ model: 'gpt-5.5', input: 'Now in one piece.' });
note(done, done.output_text, 1);
console.log(JSON.stringify({ client: `openai-node ${VERSION}`, calls }));
