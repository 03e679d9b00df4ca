//! One line of JSON for what the program itself says. Records are the telemetry crate's to write.

use serde_json::Value;

/// An object with its keys in this order, ended by a newline.
pub(crate) fn line(entries: &[(&str, Value)]) -> String {
    let entries: Vec<String> =
        entries.iter().map(|(key, value)| format!("{}:{value}", Value::from(*key))).collect();
    format!("{{{}}}\n", entries.join(","))
}
