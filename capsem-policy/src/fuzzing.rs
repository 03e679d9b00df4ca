//! The bodies of the fuzz targets. Each takes any bytes and panics if a promise does not hold.
//!
//! Called by the targets and by the test that replays their corpora. Not part of the public API.

mod condition;
mod rule_file;

pub use condition::condition;
pub use rule_file::rule_file;

use crate::{Counters, Direction, Facts, Message, On, Opcode};

/// Facts picked by three bytes.
fn facts([first, second, third]: [u8; 3]) -> Facts<'static> {
    const HOSTS: [&str; 4] = ["api.openai.com", "a.test", "x.a.test", "127.0.0.1"];
    const PATHS: [&str; 4] = ["/v1/responses", "/", "/v1/a/b", "*"];
    const HEADERS: [(&str, &str); 3] =
        [("user-agent", "codex/1"), ("authorization", "secret"), ("user-agent", "é")];
    let pick = |list: [&'static str; 4], bits: u8| list[usize::from(bits & 3)];
    let some = |byte: u8, bit: u8| byte & (1 << bit) != 0;
    let upgrade = some(first, 0);
    let facts = Facts::new(
        if upgrade { On::Upgrade } else { On::Http },
        pick(HOSTS, first >> 1),
        if some(first, 3) { 443 } else { 80 },
    )
    .scheme(if upgrade { "wss" } else { "https" })
    .path(pick(PATHS, first >> 4))
    .method(if some(first, 6) { "POST" } else { "GET" })
    .query(some(first, 7).then_some("a=b"))
    .headers(if some(second, 0) { &HEADERS } else { &[] })
    .provider(if some(second, 1) { "openai" } else { "unknown" })
    .protocol(some(second, 2).then_some("openai"))
    .process(some(second, 3).then_some("codex"))
    .subprotocols(if some(second, 4) { &["realtime"] } else { &[] })
    .counters(Counters { messages: 1, bytes: u64::MAX, model_calls: 0, tokens: second.into() });
    if !some(second, 5) {
        return facts;
    }
    let direction = if some(third, 0) { Direction::ToUpstream } else { Direction::ToClient };
    let opcode = if some(third, 1) { Opcode::Text } else { Opcode::Binary };
    let message = Message::new(direction, some(third, 2).then_some(opcode), third.into())
        .model(some(third, 3).then_some("gpt-5"))
        .tools(if some(third, 4) { &["shell", "read"] } else { &[] })
        .tool_calls(if some(third, 5) { &["shell"] } else { &[] })
        .tool_results(if some(third, 6) { &["call_1"] } else { &[] })
        .body(some(third, 7).then_some("{\"a\":\"1-078-05-1120\"}"));
    facts.message(message)
}
