// OpenAI Node SDK, Responses over WebSocket: one turn, nothing set that a user would not set.
import OpenAI from 'openai';
import { ResponsesWS } from 'openai/resources/responses/ws';

const failed = (what) => {
  console.error(what);
  process.exit(1);
};

const socket = new ResponsesWS(new OpenAI());
socket.on('error', (error) => failed(String(error)));
socket.on('close', (code, reason) => failed(`closed: ${code} ${reason}`));
socket.on('event', (event) => {
  if (event.type === 'response.failed') {
    const { code, message } = event.response.error;
    failed(`${event.type}: ${code}: ${message}`);
  }
  if (event.type !== 'response.completed') return;
  console.log('answered');
  process.exit(0);
});
socket.send({ type: 'response.create', model: 'gpt-5.5', input: 'Say something short.', store: false });
