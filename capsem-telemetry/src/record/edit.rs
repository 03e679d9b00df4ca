//! Every text of a record, passed through an edit. Knows no field by name, so none is forgotten.

use serde_json::Value;

use super::Record;

impl Record {
    /// The same record with every text in it edited: what `edit` gives is put in the text's place,
    /// and where it gives `None` the text stays.
    ///
    /// For a host that knows secrets by their value. The words of closed sets are texts too; an
    /// edit that changes one into no word of its set leaves the whole record as it was.
    ///
    /// ```
    /// use capsem_telemetry::{Fault, FaultClass, Record, Side};
    ///
    /// let fault = |detail: &str| {
    ///     let detail = Some(detail.to_owned());
    ///     Record::Fault(Fault { conn: None, exchange: None, side: Side::Proxy, class: FaultClass::Dns, detail })
    /// };
    /// let edited = fault("no host hunter2.test").edit_texts(|text| {
    ///     text.contains("hunter2").then(|| text.replace("hunter2", "[redacted]"))
    /// });
    /// assert_eq!(edited, fault("no host [redacted].test"));
    /// ```
    #[must_use]
    pub fn edit_texts(self, mut edit: impl FnMut(&str) -> Option<String>) -> Self {
        let Ok(mut value) = serde_json::to_value(&self) else { return self };
        if walk(&mut value, &mut edit) {
            serde_json::from_value(value).unwrap_or(self)
        } else {
            self
        }
    }
}

/// Whether anything changed.
fn walk(value: &mut Value, edit: &mut impl FnMut(&str) -> Option<String>) -> bool {
    match value {
        Value::String(text) => match edit(text) {
            Some(edited) => {
                *text = edited;
                true
            }
            None => false,
        },
        Value::Array(values) => values.iter_mut().fold(false, |did, value| walk(value, edit) | did),
        Value::Object(members) => {
            members.iter_mut().fold(false, |did, (_, value)| walk(value, edit) | did)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
