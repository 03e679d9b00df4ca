//! Target `extension`: a second parser reads the same offers, and what is forwarded reads the same.

use crate::extension::{Element, Params, elements};

/// # Panics
///
/// If a promise of the extension header's parser does not hold.
pub fn extension(data: &[u8]) {
    let Ok(line) = str::from_utf8(data) else { return };
    // What `HeaderValue::to_str` lets through.
    if !line.bytes().all(|byte| byte == b'\t' || (0x20..0x7F).contains(&byte)) {
        return;
    }
    let parsed = elements(line);
    let simple: Option<Vec<Simple>> = parsed.as_ref().map(|all| all.iter().map(simplify).collect());
    assert_eq!(simple, reference(line));

    let Some(parsed) = parsed else { return };
    for element in &parsed {
        let again = elements(element.text).expect("an element is a line of its own");
        assert_eq!(simplify(&again[0]), simplify(element), "the text says the same");
        let Some(offer) = Params::read(element) else { continue };
        let agreed = offer.accept();
        assert!((8..=15).contains(&agreed.client_max_window_bits));
        assert!((8..=15).contains(&agreed.server_max_window_bits));

        let text = agreed.answer(&[offer]);
        let answer = elements(&text).expect("our own answer is well formed");
        let answer = Params::read(&answer[0]).expect("our own answer is legal");
        assert_eq!(offer.answered(answer), Some(agreed), "our own answer fits the offer");
    }
}

/// A name and its parameters.
type Simple = (String, Vec<(String, Option<String>)>);

fn simplify(element: &Element<'_>) -> Simple {
    let own = |(name, value): &(&str, Option<std::borrow::Cow<'_, str>>)| {
        ((*name).to_owned(), value.as_ref().map(ToString::to_string))
    };
    (element.name.to_owned(), element.params.iter().map(own).collect())
}

/// The grammar by cutting the line up, instead of walking along it.
fn reference(line: &str) -> Option<Vec<Simple>> {
    let pieces = cut(line, ',')?;
    pieces.iter().filter(|piece| !blank(piece)).map(|piece| reference_element(piece)).collect()
}

fn reference_element(text: &str) -> Option<Simple> {
    let mut parts = cut(text, ';')?.into_iter();
    let name = token(&parts.next()?)?;
    let params = parts.map(|part| {
        let mut sides = cut(&part, '=')?.into_iter();
        let name = token(&sides.next()?)?;
        let value = match (sides.next(), sides.next()) {
            (None, _) => None,
            (Some(value), None) => Some(unquote(&value)?),
            (Some(_), Some(_)) => return None,
        };
        Some((name, value))
    });
    Some((name, params.collect::<Option<_>>()?))
}

/// Cuts at `at`, except inside quotes. `None` if a quote stays open.
fn cut(text: &str, at: char) -> Option<Vec<String>> {
    let mut pieces = vec![String::new()];
    let (mut quoted, mut escaped) = (false, false);
    for char in text.chars() {
        if char == at && !quoted {
            pieces.push(String::new());
            continue;
        }
        if escaped {
            escaped = false;
        } else if char == '"' {
            quoted = !quoted;
        } else if char == '\\' && quoted {
            escaped = true;
        }
        pieces.last_mut()?.push(char);
    }
    (!quoted).then_some(pieces)
}

fn blank(text: &str) -> bool {
    text.chars().all(|char| char == ' ' || char == '\t')
}

fn token(text: &str) -> Option<String> {
    let text = text.trim_matches(|char| char == ' ' || char == '\t');
    let separators = "()<>@,;:\\\"/[]?={} \t";
    let good = |char: char| char.is_ascii_graphic() && !separators.contains(char);
    (!text.is_empty() && text.chars().all(good)).then(|| text.to_owned())
}

fn unquote(text: &str) -> Option<String> {
    let text = text.trim_matches(|char| char == ' ' || char == '\t');
    let Some(inner) = text.strip_prefix('"') else { return token(text) };
    let (mut spelt, mut chars) = (String::new(), inner.chars());
    loop {
        match chars.next()? {
            '\\' => spelt.push(chars.next()?),
            // Nothing may follow the closing quote.
            '"' => break chars.next().is_none().then_some(())?,
            char => spelt.push(char),
        }
    }
    // A quoted string must spell a token; blanks are not trimmed off inside quotes.
    (token(&spelt)? == spelt).then_some(spelt)
}
