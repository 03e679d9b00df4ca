// OpenAI Node SDK, Responses over WebSocket (the `ws` package, which offers permessage-deflate): two turns on one socket.
import OpenAI from 'openai';
import { VERSION } from 'openai/version';
import { ResponsesWS } from 'openai/resources/responses/ws';

const socket = new ResponsesWS(new OpenAI({ maxRetries: 0 }), { reconnect: null });
const calls = [];
const prompts = ['Say something short.', 'And once more.'];

const ask = () => {
  const request = { type: 'response.create', model: 'gpt-5.5', input: prompts.shift(), store: false };
  if (calls.length > 0) request.previous_response_id = calls.at(-1).id;
  calls.push({ text: '', events: 0 });
  socket.send(request);
};

const failed = (what) => {
  console.error(what);
  process.exit(1);
};

socket.on('error', (error) => failed(`socket: ${error.message}`));
socket.on('event', (event) => {
  const call = calls.at(-1);
  call.events += 1;
  if (event.type === 'response.output_text.delta') call.text += event.delta;
  if (event.type === 'response.failed' || event.type === 'response.incomplete') failed(JSON.stringify(event));
  if (event.type !== 'response.completed') return;
  const { id, model, usage } = event.response;
  Object.assign(call, { id, model, input_tokens: usage.input_tokens, output_tokens: usage.output_tokens });
  if (prompts.length > 0) return ask();
  console.log(JSON.stringify({ client: `openai-node ${VERSION}`, calls }));
  socket.close();
});
ask();
