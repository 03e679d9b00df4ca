// OpenAI Node SDK, Responses over HTTP: one streamed turn, nothing set that a user would not set.
import OpenAI from 'openai';

const failed = (what) => {
  console.error(what);
  process.exit(1);
};

const turn = async () => {
  const request = { model: 'gpt-5.5', input: 'Say something short.', stream: true };
  for await (const event of await new OpenAI().responses.create(request)) {
    if (event.type === 'response.failed') {
      const { code, message } = event.response.error;
      failed(`${event.type}: ${code}: ${message}`);
    }
    if (event.type === 'response.completed') return console.log('answered');
  }
  failed('the stream ended without an answer and without an error');
};
turn().catch((error) => failed(String(error)));
