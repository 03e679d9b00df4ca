//! `OpenAI` Responses: what the endpoint answers to one `response.create`, as a list of events.
//!
//! The same list goes over a WebSocket and over SSE; the last event holds the whole response,
//! which is the JSON answer. Refuses to know what carries it.

use serde_json::{Value, json};

use super::log::{Provider, Response, ToolCall, ToolResult, Transport, Usage};
use super::numbers::{Number, pieces};
use super::stream::Answer;

/// A user message holding these words asks for a tool turn; what follows them is the command.
const RUN: &str = "run: ";

/// The answer to `request`.
pub(super) fn answer(
    request: &Value,
    number: Number,
    transport: Transport,
    connection: u64,
) -> Answer {
    let truth = Response {
        connection,
        provider: Provider::Openai,
        transport,
        id: number.id("resp"),
        previous: text_of(&request["previous_response_id"]),
        model: text_of(&request["model"]).unwrap_or_else(|| "gpt-5.5".into()),
        warmup: request["generate"] == json!(false),
        text: String::new(),
        usage: Usage {
            input_tokens: Some(number.fresh() + number.cached() + number.cache_write()),
            output_tokens: Some(number.spoken() + number.reasoning()),
            cached_input_tokens: Some(number.cached()),
            cache_write_tokens: Some(number.cache_write()),
            reasoning_tokens: Some(number.reasoning()),
        },
        tool_calls: Vec::new(),
        tool_results: tool_results(request),
    };
    let mut script = Script { truth, number, events: Vec::new(), output: Vec::new() };
    script.play(request);
    Answer { truth: script.truth, events: script.events }
}

/// The answer to `request` in one piece: its only event is the response.
pub(super) fn whole(request: &Value, number: Number, connection: u64) -> Answer {
    let Answer { truth, mut events } = answer(request, number, Transport::Http, connection);
    let last = events.last_mut().map(|last| last["response"].take());
    Answer { truth, events: vec![last.unwrap_or_default()] }
}

/// The list of models, as `GET /v1/models` answers it.
pub(super) fn models() -> Value {
    let model = |id: &str| json!({"id": id, "object": "model", "created": 1_790_000_000, "owned_by": "local"});
    json!({"object": "list", "data": [model("gpt-5.5"), model("gpt-6.1-sol")]})
}

struct Script {
    truth: Response,
    number: Number,
    events: Vec<Value>,
    output: Vec<Value>,
}

impl Script {
    fn play(&mut self, request: &Value) {
        let response = self.response("in_progress");
        self.push("response.created", json!({"response": response}));
        if self.truth.warmup {
            self.truth.usage.output_tokens = Some(0);
            self.truth.usage.reasoning_tokens = Some(0);
        } else {
            let response = self.response("in_progress");
            self.push("response.in_progress", json!({"response": response}));
            match wanted(request) {
                Wanted::Words => self.say(),
                Wanted::Function(command) => self.call_function(&command),
                Wanted::Code(command) => self.call_code(&command),
            }
        }
        let response = self.response("completed");
        self.push("response.completed", json!({"response": response}));
    }

    fn say(&mut self) {
        let id = self.number.id("msg");
        let text = self.number.sentence();
        let part = |text: &str| json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []});
        let item = |status: &str, content: Value| json!({"id": id, "type": "message", "role": "assistant", "status": status, "content": content});
        self.push(
            "response.output_item.added",
            json!({"output_index": 0, "item": item("in_progress", json!([]))}),
        );
        let at = json!({"item_id": id, "output_index": 0, "content_index": 0});
        let with = |key: &str, value: Value| {
            let mut data = at.clone();
            data[key] = value;
            data
        };
        self.push("response.content_part.added", with("part", part("")));
        for piece in pieces(&text) {
            self.push("response.output_text.delta", with("delta", piece.into()));
        }
        self.push("response.output_text.done", with("text", text.as_str().into()));
        self.push("response.content_part.done", with("part", part(&text)));
        self.finish_item(item("completed", json!([part(&text)])));
        self.truth.text = text;
    }

    fn call_function(&mut self, command: &str) {
        let (id, call_id) = (self.number.id("fc"), self.number.id("call"));
        let arguments = json!({"cmd": command}).to_string();
        let item = |status: &str, arguments: &str| json!({"id": id, "type": "function_call", "status": status, "call_id": call_id, "name": "exec_command", "arguments": arguments});
        self.push(
            "response.output_item.added",
            json!({"output_index": 0, "item": item("in_progress", "")}),
        );
        for piece in pieces(&arguments) {
            self.push(
                "response.function_call_arguments.delta",
                json!({"item_id": id, "output_index": 0, "delta": piece}),
            );
        }
        self.push(
            "response.function_call_arguments.done",
            json!({"item_id": id, "output_index": 0, "name": "exec_command", "arguments": arguments}),
        );
        self.finish_item(item("completed", &arguments));
        self.truth.tool_calls.push(ToolCall { call_id, name: "exec_command".into() });
    }

    fn call_code(&mut self, command: &str) {
        let (id, call_id) = (self.number.id("ctc"), self.number.id("call"));
        let input = format!(
            "const done = await tools.exec_command({});\ntext(done);\n",
            json!({"cmd": command})
        );
        let item = |status: &str, input: &str| json!({"id": id, "type": "custom_tool_call", "status": status, "call_id": call_id, "name": "exec", "namespace": "functions", "input": input});
        self.push(
            "response.output_item.added",
            json!({"output_index": 0, "item": item("in_progress", "")}),
        );
        for piece in pieces(&input) {
            self.push(
                "response.custom_tool_call_input.delta",
                json!({"item_id": id, "output_index": 0, "delta": piece}),
            );
        }
        self.push(
            "response.custom_tool_call_input.done",
            json!({"item_id": id, "output_index": 0, "input": input}),
        );
        self.finish_item(item("completed", &input));
        self.truth.tool_calls.push(ToolCall { call_id, name: "exec".into() });
    }

    fn finish_item(&mut self, item: Value) {
        self.push("response.output_item.done", json!({"output_index": 0, "item": item}));
        self.output.push(item);
    }

    /// The `response` object of a lifecycle event; usage is there at the end only.
    fn response(&self, status: &str) -> Value {
        let usage = &self.truth.usage;
        let usage = json!({
            "input_tokens": usage.input_tokens,
            "input_tokens_details": {
                "cached_tokens": usage.cached_input_tokens,
                "cache_write_tokens": usage.cache_write_tokens,
            },
            "output_tokens": usage.output_tokens,
            "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
            "total_tokens": usage.input_tokens.unwrap_or(0) + usage.output_tokens.unwrap_or(0),
        });
        json!({
            "id": self.truth.id,
            "object": "response",
            "created_at": 1_790_000_000,
            "status": status,
            "error": null,
            "incomplete_details": null,
            "instructions": null,
            "model": self.truth.model,
            "output": self.output,
            "parallel_tool_calls": false,
            "previous_response_id": self.truth.previous,
            "store": false,
            "temperature": 1.0,
            "tool_choice": "auto",
            "tools": [],
            "top_p": 1.0,
            "usage": if status == "completed" { usage } else { Value::Null },
            "metadata": {},
        })
    }

    fn push(&mut self, name: &str, mut data: Value) {
        data["type"] = name.into();
        data["sequence_number"] = self.events.len().into();
        self.events.push(data);
    }
}

enum Wanted {
    Words,
    /// A classic function call of `exec_command`.
    Function(String),
    /// A custom tool call of `exec`, whose input is JavaScript ("code mode").
    Code(String),
}

/// A tool turn if the newest user message asks to run something and a tool for it was offered.
fn wanted(request: &Value) -> Wanted {
    let Some(command) = command(request) else { return Wanted::Words };
    let mut offered = Vec::new();
    tools(&request["tools"], &mut offered);
    for item in list(&request["input"]) {
        tools(&item["tools"], &mut offered);
    }
    let offers = |kind: &str, name: &str| {
        offered.iter().any(|tool| tool["type"] == kind && tool["name"] == name)
    };
    if offers("function", "exec_command") {
        Wanted::Function(command)
    } else if offers("custom", "exec") {
        Wanted::Code(command)
    } else {
        Wanted::Words
    }
}

/// The command in the last input item, if that is a user message with one.
fn command(request: &Value) -> Option<String> {
    let last = list(&request["input"]).last()?;
    let words = list(&last["content"]).last()?["text"].as_str()?;
    words.split_once(RUN).map(|(_, command)| command.trim().to_owned())
}

/// All tools of a list, those inside a namespace too.
fn tools<'a>(listed: &'a Value, found: &mut Vec<&'a Value>) {
    for tool in list(listed) {
        found.push(tool);
        tools(&tool["tools"], found);
    }
}

fn tool_results(request: &Value) -> Vec<ToolResult> {
    let is_result =
        |item: &&Value| item["type"].as_str().is_some_and(|kind| kind.ends_with("_call_output"));
    let output = |item: &Value| match &item["output"] {
        Value::String(text) => text.clone(),
        other => list(other).iter().filter_map(|part| part["text"].as_str()).collect(),
    };
    list(&request["input"])
        .iter()
        .filter(is_result)
        .map(|item| ToolResult {
            call_id: text_of(&item["call_id"]).unwrap_or_default(),
            output: output(item),
        })
        .collect()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text_of(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests;
