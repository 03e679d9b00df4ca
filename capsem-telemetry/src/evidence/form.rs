//! The facts of a body that is no JSON itself: a form's fields (RFC 7578), and files of JSON lines.
//!
//! What two readers of a form could take for different fields is not readable. Knows no API but the
//! name of the field with a model.

use std::borrow::Cow;

use memchr::memmem;

use super::MessageFacts;
use crate::percent;

/// Bytes of the head of one part.
const MAX_HEAD: usize = 8 * 1024;

/// Lines that are looked at: more than the requests that a batch may have. A text with more counts as
/// one that could not be read.
const MAX_LINES: usize = 64 * 1024;

/// Fields that are looked at. A form with more counts as one that could not be read.
const MAX_FIELDS: usize = 1024;

impl MessageFacts {
    /// Reads a form in the clear, of this `Content-Type`. Fields and files that are JSON are read as
    /// messages.
    ///
    /// ```
    /// use capsem_telemetry::evidence::MessageFacts;
    ///
    /// let form = b"--x\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nm-1\r\n--x--\r\n";
    /// let facts = MessageFacts::of_form("multipart/form-data; boundary=x", form);
    /// assert!(facts.readable && facts.models().eq(["m-1"]));
    /// ```
    pub fn of_form(media: &str, form: &[u8]) -> Self {
        let mut facts = Self { readable: true, ..Self::default() };
        let whole = match boundary(media) {
            Some(boundary) => parts(&boundary, form, |field| facts.field(&field)),
            None if is_multipart(media) => None,
            None => pairs(form, |field| facts.field(&field)),
        };
        facts.readable &= whole.is_some();
        facts
    }

    /// Reads a message, or several of which each stands on a line of its own.
    pub fn read_lines(text: &[u8]) -> Self {
        let whole = Self::read(text);
        if whole.readable {
            return whole;
        }
        let mut all = Self { readable: true, ..Self::default() };
        let lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        for (nth, line) in lines.filter(|line| !line.is_empty()).enumerate() {
            if nth == MAX_LINES {
                return whole;
            }
            let one = Self::read(line);
            if !one.readable {
                return whole;
            }
            all.add(one);
        }
        Self { readable: all.readable && !text.is_empty(), ..all }
    }

    /// Adds what the lines say that are messages by themselves, of a text that is read as one: some
    /// readers take each line, and pass over what they cannot read.
    pub fn add_lines(&mut self, text: &[u8]) {
        let lines = text.split(|byte| *byte == b'\n').filter(|line| Self::begins_as_json(line));
        for (nth, line) in lines.enumerate() {
            self.readable &= nth < MAX_LINES;
            if nth >= MAX_LINES {
                return;
            }
            let line = Self::read(line);
            if line.readable {
                self.add(line);
            }
        }
    }

    fn field(&mut self, field: &Field<'_>) {
        let Field { name, value, .. } = field;
        if name == "model" || name.ends_with("[model]") {
            let model = Some(String::from_utf8_lossy(value.trim_ascii()).into_owned());
            self.add(Self { model, ..Self::default() });
        }
        if Self::begins_as_json(value) {
            let read = Self::read_lines(value);
            self.readable &= read.readable || !field.is_data();
            self.add(read);
        }
    }
}

struct Field<'f> {
    name: Cow<'f, str>,
    value: Cow<'f, [u8]>,
    /// What it is called, and of which media type it is, in lower case, if it is a file.
    file: Option<String>,
}

impl Field<'_> {
    /// Whether a server would read it as JSON; another text may begin so by chance.
    fn is_data(&self) -> bool {
        match &self.file {
            Some(file) => file.contains("json"),
            None => self.value.trim_ascii_start().starts_with(b"{"),
        }
    }
}

fn is_multipart(media: &str) -> bool {
    media.trim_start().get(..10).is_some_and(|it| it.eq_ignore_ascii_case("multipart/"))
}

/// The boundary of a multipart media type, where there is one and no doubt of it.
fn boundary(media: &str) -> Option<String> {
    let (_, parameters) = media.split_once(';').filter(|_| is_multipart(media))?;
    let mut found = parameters.split(';').filter_map(|it| it.trim().split_once('='));
    let is_boundary = |(key, _): &(&str, &str)| key.trim().eq_ignore_ascii_case("boundary");
    let (_, value) = found.find(is_boundary)?;
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=?".contains(&byte);
    let value = value.trim();
    let value = value.strip_prefix('"').and_then(|it| it.strip_suffix('"')).unwrap_or(value);
    let good = (1..=70).contains(&value.len()) && value.bytes().all(fine);
    (good && !found.any(|it| is_boundary(&it))).then(|| value.to_owned())
}

/// Hands out the parts of a multipart body (RFC 2046 section 5.1.1); `None` if there are more ways
/// than one to divide it.
fn parts<'f>(boundary: &str, form: &'f [u8], mut each: impl FnMut(Field<'f>)) -> Option<()> {
    let (dashed, delimiter) = (format!("--{boundary}"), format!("\r\n--{boundary}"));
    // One that stands anywhere else could be a border to others.
    let borders = memmem::find_iter(form, &dashed).count();
    let mut rest = form.strip_prefix(dashed.as_bytes())?;
    let mut passed = 1;
    while let Some(part) = rest.strip_prefix(b"\r\n") {
        let end = memmem::find(part, delimiter.as_bytes())?;
        let (part, behind) = part.split_at(end);
        each(field(part)?);
        rest = behind.get(delimiter.len()..)?;
        passed += 1;
        if passed > MAX_FIELDS {
            return None;
        }
    }
    (passed == borders && matches!(rest, b"--" | b"--\r\n")).then_some(())
}

/// One part: its head, an empty line, its content.
fn field(part: &[u8]) -> Option<Field<'_>> {
    // One without a head begins with the empty line.
    let (head, value) = if let Some(value) = part.strip_prefix(b"\r\n") {
        (&b""[..], value)
    } else {
        let end = memmem::find(part, b"\r\n\r\n")?;
        (part.get(..end)?, part.get(end + 4..)?)
    };
    let head = str::from_utf8(head).ok().filter(|head| head.len() <= MAX_HEAD)?;
    let (mut name, mut file, mut disposed) = (None, String::new(), false);
    for line in head.split("\r\n").filter(|_| !head.is_empty()) {
        let (key, said) = line.split_once(':')?;
        if line.contains(['\r', '\n']) || key.contains([' ', '\t']) {
            return None;
        }
        match &*key.to_ascii_lowercase() {
            "content-disposition" => {
                if std::mem::replace(&mut disposed, true) {
                    return None;
                }
                parameters(said, |key, value| match key {
                    "name" => name.replace(value).is_none(),
                    "filename" | "filename*" => {
                        file.push_str(&value.to_ascii_lowercase());
                        file.push(' ');
                        true
                    }
                    // Another spelling of the name, or one that only some know.
                    _ => !key.starts_with("name"),
                })?;
            }
            "content-type" => {
                file.push_str(&said.to_ascii_lowercase());
                file.push(' ');
            }
            "content-transfer-encoding" => {
                let plain = ["7bit", "8bit", "binary"];
                plain.iter().find(|it| it.eq_ignore_ascii_case(said.trim()))?;
            }
            _ => {}
        }
    }
    let file = (!file.is_empty()).then_some(file);
    Some(Field { name: Cow::Borrowed(name.unwrap_or_default()), value: Cow::Borrowed(value), file })
}

/// The parameters of a field's value, names in lower case; `None` where `take` refuses one or it is not
/// written in the one way that all read alike.
fn parameters<'h>(text: &'h str, mut take: impl FnMut(&str, &'h str) -> bool) -> Option<()> {
    let (_, mut rest) = text.split_once(';').unwrap_or((text, ""));
    while !rest.trim().is_empty() {
        let (key, value) = rest.split_once('=')?;
        let (value, behind) = match value.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => value.split_at(value.find(';').unwrap_or(value.len())),
        };
        let behind = behind.trim_start();
        let doubtful = value.contains(['\\', '"']) || key.contains(['"', ';']);
        if doubtful || !take(&key.trim().to_ascii_lowercase(), value.trim()) {
            return None;
        }
        rest = match behind.strip_prefix(';') {
            Some(behind) => behind,
            None if behind.is_empty() => behind,
            None => return None,
        };
    }
    Some(())
}

/// Hands out the pairs of a form in one line; JSON that was sent under its name is one pair.
fn pairs(form: &[u8], mut each: impl FnMut(Field<'static>)) -> Option<()> {
    let text = str::from_utf8(form).ok()?;
    let decoded = |text: &str| percent::decode(&text.replace('+', " "));
    if MessageFacts::begins_as_json(form) {
        each(Field { name: Cow::Borrowed(""), value: Cow::Owned(form.to_vec()), file: None });
        return Some(());
    }
    for (nth, pair) in text.split('&').enumerate() {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = String::from_utf8(decoded(name)).ok()?;
        each(Field { name: Cow::Owned(name), value: Cow::Owned(decoded(value)), file: None });
        if nth == MAX_FIELDS {
            return None;
        }
    }
    Some(())
}

#[cfg(test)]
mod tests;
