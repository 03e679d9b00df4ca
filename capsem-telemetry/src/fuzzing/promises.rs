//! What must hold of whatever the interpreters hand out.

use crate::evidence::Finished;
use crate::genai::{self, Version};
use crate::{CallStatus, Id, ModelCall, RateLimits, Record, Stamped, Timestamp, ToolUse};

/// Bytes kept of each call, as they came and as content.
pub(super) const KEPT: usize = 256;

/// Longest string of a payload that a record holds.
const TEXT: usize = 1024;

/// Longest word of a rate limit.
const WORD: usize = 64;

/// Most limits said at once.
const LIMITS: usize = 32;

/// Most tools of one call.
const TOOLS: usize = 512;

/// Holds of every call.
pub(super) fn of_call(finished: &Finished) {
    let Finished { call, raw } = finished;
    let error = call.error.iter().flat_map(|error| [&error.code, &error.message]);
    let tools = call.tool_calls.iter().flat_map(|tool| [&tool.call_id, &tool.name]);
    let results = call.tool_results.iter().flat_map(|result| [&result.call_id, &result.name]);
    [&call.model, &call.response_id, &call.previous_response_id, &call.stream_id]
        .into_iter()
        .chain([&call.model_requested, &call.stop_reason])
        .chain(tools)
        .chain(results)
        .flatten()
        .for_each(|text| assert!(text.len() <= TEXT, "{} bytes kept", text.len()));
    // A credential that was masked may be shorter than its mask.
    error.flatten().for_each(|text| assert!(text.len() <= TEXT * 10, "{} bytes kept", text.len()));
    assert!(call.tool_calls.len() <= TOOLS && call.tool_results.len() <= TOOLS);
    assert!(call.status != CallStatus::Denied || call.error.is_some());
    let raw = raw.as_ref().expect("asked for");
    assert!(raw.request().len() <= KEPT && raw.events().map(<[u8]>::len).sum::<usize>() <= KEPT);
    let content = call.content.as_ref().expect("asked for");
    assert!(content.request.len() <= KEPT * 6 + 32, "{}", content.request.len());
    assert!(content.response.len() <= KEPT * 7 + 32, "{}", content.response.len());
    reads_back(Record::ModelCall(Box::new(call.clone())));
    let attributes = genai::attributes(call, Version::LATEST);
    assert!(attributes.len() >= 3, "{attributes:?}");
}

/// Holds of every tool use.
pub(super) fn of_tool_use(tool: &ToolUse) {
    let texts = [&tool.server, &tool.request_id, &tool.name];
    texts.into_iter().flatten().for_each(|text| assert!(text.len() <= TEXT));
    reads_back(Record::ToolUse(Box::new(tool.clone())));
}

/// Holds of all that is said of rate limits.
pub(super) fn of_rate_limits(said: &RateLimits) {
    assert!((1..=LIMITS).contains(&said.limits.len()));
    let words = said.limits.iter().flat_map(|it| [Some(&it.name), it.status.as_ref()]);
    let words = words.flatten().chain(&said.plan);
    // A credential that was masked may be shorter than its mask.
    words.for_each(|word| assert!(word.len() <= WORD * 10, "{} bytes kept", word.len()));
    reads_back(Record::RateLimits(Box::new(said.clone())));
}

/// A call without what each run makes anew.
pub(super) fn nameless(call: &ModelCall) -> ModelCall {
    let none: Id = "000000000000".parse().expect("twelve digits");
    let mut call = ModelCall { exchange: none, call: none, ..call.clone() };
    call.tool_results.iter_mut().for_each(|result| result.answers = result.answers.map(|_| none));
    call
}

fn reads_back(record: Record) {
    let stamped = Stamped { seq: 1, at: Timestamp::now(), record };
    let line = stamped.to_json();
    assert!(!line.contains('\n'));
    assert_eq!(Stamped::from_json(&line).expect("reads back").record, stamped.record);
}
