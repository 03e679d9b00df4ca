//! Items of a Responses conversation: which are tool calls, which are their results, which the
//! model made. Knows item types and ids; arguments and outputs are not looked at.

use std::borrow::Cow;

use super::super::call::Call;
use super::super::json::Raw;

/// Reads an item of the model's output into its call.
pub(super) fn output(call: &mut Call, item: Raw<'_>) {
    let item = Item::read(item);
    match item.role() {
        Role::Call => {
            let id = item.call_id.or(item.id);
            if item.kind == "mcp_call" {
                // The provider ran it: the result is in the same item.
                let result = id.and_then(Raw::text);
                call.tool_result(result, Some(item.error.is_some() || item.failed()));
            }
            let name = item.name.and_then(Raw::text);
            call.tool_call(id.and_then(Raw::text), name, item.kind.into_owned());
        }
        Role::Result => {
            call.tool_result(item.answered().and_then(Raw::text), item.is_error());
        }
        Role::Model | Role::Other => {}
    }
}

/// Reads the `input` of a request into its call: the results it brings. With `whole`, the
/// conversation may be sent from its start, and only what follows the model's last item is new.
pub(super) fn input(call: &mut Call, input: Raw<'_>, whole: bool) {
    input.elements(|item| {
        let item = Item::read(item);
        match item.role() {
            Role::Result => {
                call.tool_result(item.answered().and_then(Raw::text), item.is_error());
            }
            Role::Call | Role::Model if whole => call.forget_results(),
            Role::Call | Role::Model | Role::Other => {}
        }
    });
}

/// Reads one item a client put into a conversation: the result it may bring, whose call's id is
/// returned.
pub(super) fn given(call: &mut Call, item: Raw<'_>) -> Option<String> {
    let item = Item::read(item);
    let Role::Result = item.role() else { return None };
    let id = item.answered().and_then(Raw::text);
    call.tool_result(id.clone(), item.is_error());
    id
}

/// Calls `each` with the ids of the calls that items answer.
pub(super) fn results(items: Raw<'_>, mut each: impl FnMut(&str)) {
    items.elements(|item| {
        let item = Item::read(item);
        if let (Role::Result, Some(id)) = (item.role(), item.answered().and_then(Raw::text)) {
            each(&id);
        }
    });
}

/// Whether a call of this kind waits for its client to run the tool.
pub(super) fn runs_at_client(kind: &str) -> bool {
    matches!(
        kind,
        "function_call"
            | "custom_tool_call"
            | "local_shell_call"
            | "shell_call"
            | "apply_patch_call"
            | "computer_call"
            | "mcp_approval_request"
    )
}

#[derive(Default)]
struct Item<'a> {
    kind: Cow<'a, str>,
    id: Option<Raw<'a>>,
    call_id: Option<Raw<'a>>,
    approval: Option<Raw<'a>>,
    name: Option<Raw<'a>>,
    speaker: Option<Raw<'a>>,
    status: Option<Raw<'a>>,
    error: Option<Raw<'a>>,
}

/// What an item is to a conversation's tools.
enum Role {
    /// The model calls a tool.
    Call,
    /// A tool answers.
    Result,
    /// The model says or thinks something.
    Model,
    Other,
}

impl<'a> Item<'a> {
    fn read(item: Raw<'a>) -> Self {
        let mut read = Self::default();
        item.members(|key, value| match key {
            "type" => read.kind = value.text().unwrap_or_default().into(),
            "id" => read.id = value.present(),
            "call_id" => read.call_id = value.present(),
            "approval_request_id" => read.approval = value.present(),
            "name" => read.name = value.present(),
            "role" => read.speaker = value.present(),
            "status" => read.status = value.present(),
            "error" => read.error = value.present(),
            _ => {}
        });
        read
    }

    /// By the ends of the types' names, so that a kind of tool not known today counts too.
    fn role(&self) -> Role {
        match &*self.kind {
            "mcp_approval_request" | "program" => Role::Call,
            "mcp_approval_response" | "tool_search_output" | "program_output" => Role::Result,
            "reasoning" | "compaction" | "mcp_list_tools" => Role::Model,
            "message" | "" if self.speaker.is_some_and(is_assistant) => Role::Model,
            kind if kind.ends_with("_call") => Role::Call,
            kind if kind.ends_with("_call_output") => Role::Result,
            _ => Role::Other,
        }
    }

    /// The id of the call this result answers.
    fn answered(&self) -> Option<Raw<'a>> {
        self.call_id.or(self.approval).or(self.id)
    }

    fn failed(&self) -> bool {
        self.status.and_then(Raw::str).as_deref() == Some("failed")
    }

    /// Whether the tool failed, for the one result that says so.
    fn is_error(&self) -> Option<bool> {
        (self.kind == "apply_patch_call_output").then(|| self.failed())
    }
}

fn is_assistant(role: Raw<'_>) -> bool {
    role.str().as_deref() == Some("assistant")
}
