//! A compressed socket through a proxy with rules on messages, heard at both ends.

use super::{Client, Connection, Ear, HOST, Path, Rig, Upstream, header, upgrade};
use capsem_policy::Policy;
use capsem_ws_codec::{Deflate, Role};
use serde_json::Value;

pub(crate) const OFFER: &str =
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";
const AGREED: &str = "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n";

pub(crate) const NO_PRO: &str = r#"
[[rule]]
id = "no-large-models"
action = "block"
on = ["message"]
direction = "to_upstream"
models = ["gpt-5-pro*"]
reason = "this model is too dear"
"#;

pub(crate) const NO_SHELL: &str = r#"
[[rule]]
id = "no-shell"
action = "block"
on = ["message"]
direction = "to_client"
tools = ["shell"]
reason = "no shell here"
"#;

pub(crate) fn rules(text: &str) -> Policy {
    Policy::parse(&format!("version = 1\ndefault = \"allow\"\n{text}"), "rules.toml").unwrap()
}

/// What an upstream that agreed to `server_no_context_takeover` alone thinks.
fn as_upstream_sees_it() -> Deflate {
    Deflate { server_no_context_takeover: true, ..Deflate::default() }
}

pub(crate) fn create(model: &str) -> String {
    format!(r#"{{"type":"response.create","model":"{model}","input":"hello hello hello hello"}}"#)
}

pub(crate) fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// A socket through a proxy with rules.
pub(crate) struct Socket {
    pub(crate) client: Client,
    pub(crate) server: Connection,
    /// What the client hears, and what the server does.
    pub(crate) client_ear: Ear,
    pub(crate) server_ear: Ear,
}

impl Socket {
    pub(crate) async fn open(rig: &Rig, upstream: &mut Upstream, path: Path, target: &str) -> Self {
        let mut client = Client::tls(rig, path, HOST).await;
        client.send(upgrade(target, OFFER)).await;
        let mut server = upstream.next().await;
        let head = server.head().await;
        assert_eq!(
            header(&head, "sec-websocket-extensions"),
            Some("permessage-deflate; client_max_window_bits; server_no_context_takeover")
        );
        server.switch(&head, AGREED).await;
        let head = client.head().await;
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        assert_eq!(
            header(&head, "sec-websocket-extensions"),
            Some("permessage-deflate; server_no_context_takeover; client_no_context_takeover")
        );
        Self {
            client,
            server,
            client_ear: Ear::new(Role::Server, Some(as_upstream_sees_it())),
            server_ear: Ear::new(Role::Client, Some(as_upstream_sees_it())),
        }
    }

    pub(crate) async fn client_hears(&mut self) -> (String, bool) {
        self.client_ear.text(&mut self.client.io).await
    }

    pub(crate) async fn server_hears(&mut self) -> (String, bool) {
        self.server_ear.text(&mut self.server.io).await
    }
}
