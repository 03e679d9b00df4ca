//! An HTTP exchange: one byte for the API, one for the media type, one for the coding, then the
//! request's body, a zero byte, and the response's.

use std::time::Duration;

use super::promises::{self, KEPT};
use crate::evidence::{Finished, HttpEvidence, RequestHead, ResponseHead, Settings};
use crate::{Evidence, Id, attribute};

/// Every API there is a dialect for.
const APIS: [(&str, &str); 5] = [
    ("api.openai.com", "/v1/responses"),
    ("api.openai.com", "/v1/chat/completions"),
    ("api.anthropic.com", "/v1/messages"),
    ("generativelanguage.googleapis.com", "/v1beta/models/g:streamGenerateContent"),
    ("api.openai.com", "/v1/responses/compact"),
];

const MEDIA: [Option<&str>; 3] = [None, Some("application/json"), Some("text/event-stream")];

const CODINGS: [Option<&str>; 5] = [None, Some("gzip"), Some("deflate"), Some("br"), Some("zstd")];

/// The promises hold and there is one call. Without a coding, pieces of any size give what the whole
/// does; with one, how much a decoder gives before it finds its input broken is its own affair.
pub fn exchange(data: &[u8]) {
    let [api, media, coding, bodies @ ..] = data else { return };
    let pick = |byte: &u8, of: usize| usize::from(*byte) % of;
    let (host, path) = APIS[pick(api, APIS.len())];
    let media = MEDIA[pick(media, MEDIA.len())];
    let coding = CODINGS[pick(coding, CODINGS.len())];
    let mut bodies = bodies.splitn(2, |byte| *byte == 0);
    let bodies = [bodies.next().unwrap_or_default(), bodies.next().unwrap_or_default()];
    let run = |size| once((host, path), media, coding, bodies, size);
    let (call, evidence) = run(usize::MAX);
    promises::of_call(&call);
    for size in [1, 7] {
        let (again, evidence_again) = run(size);
        promises::of_call(&again);
        if coding.is_some() {
            continue;
        }
        assert_eq!(promises::nameless(&again.call), promises::nameless(&call.call), "by {size}");
        assert_eq!(evidence_again, evidence);
    }
}

fn once(
    (host, path): (&str, &str),
    media: Option<&str>,
    coding: Option<&str>,
    [request, response]: [&[u8]; 2],
    size: usize,
) -> (Finished, Option<Evidence>) {
    let settings = Settings::new(Id::fresh(), attribute(host, path), 4096);
    let settings = Settings { raw: KEPT, content: KEPT, ..settings };
    let head = RequestHead { method: "POST", content_encoding: coding, ..RequestHead::default() };
    let mut exchange = HttpEvidence::new(settings, head);
    let at = Duration::from_millis;
    for piece in request.chunks(size) {
        exchange.request_data(at(1), piece);
    }
    exchange.request_end(at(2));
    exchange.response_head(ResponseHead {
        status: 200,
        content_type: media,
        content_encoding: coding,
        openai_model: None,
    });
    for piece in response.chunks(size) {
        exchange.response_data(at(3), piece);
    }
    let mut calls = exchange.take_finished();
    exchange.end(at(3), true);
    calls.append(&mut exchange.take_finished());
    let (rest, evidence, total) = exchange.finish(at(3), true);
    assert!(rest.is_empty());
    assert_eq!((calls.len(), total), (1, 1), "each call once");
    (calls.swap_remove(0), evidence)
}
