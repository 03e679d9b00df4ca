//! The words of a condition. Refuses to know what they mean together.

use super::{Dialect, cursor::Error, fault::ConditionFault};

/// One word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token<'t> {
    Name(&'t str),
    Text(String),
    Int(i64),
    /// An operator or a bracket.
    Sign(&'static str),
    End,
}

/// Longer ones first.
const SIGNS: [&str; 21] = [
    "&&", "||", "==", "!=", "<=", ">=", "<", ">", "!", "(", ")", "[", "]", ",", ".", "?", ":", "+",
    "-", "*", "/",
];

/// Splits a condition into words, each with its place in bytes; an [`Token::End`] comes last.
pub(super) fn tokens(text: &str, dialect: Dialect) -> Result<Vec<(Token<'_>, usize)>, Error> {
    let mut tokens = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        if let (Some(comment), Dialect::Cel) = (rest.strip_prefix("//"), dialect) {
            rest = comment.find('\n').map_or("", |end| &comment[end..]);
            continue;
        }
        let at = text.len() - rest.len();
        let Some(first) = rest.chars().next() else {
            tokens.push((Token::End, at));
            return Ok(tokens);
        };
        let raw = dialect == Dialect::Cel && (rest.starts_with("r\"") || rest.starts_with("r'"));
        let (token, length) = if raw || first == '"' || first == '\'' {
            text_token(rest, at, raw, dialect)?
        } else if first.is_ascii_alphabetic() || first == '_' {
            let length = span(rest, |c| c.is_ascii_alphanumeric() || c == '_');
            (Token::Name(&rest[..length]), length)
        } else if first.is_ascii_digit() {
            number(rest, at)?
        } else if rest.starts_with('%') {
            (Token::Sign("%"), 1)
        } else if let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
            (Token::Sign(sign), sign.len())
        } else {
            return Err((at, ConditionFault::Character(first.escape_debug().to_string())));
        };
        tokens.push((token, at));
        rest = &rest[length..];
    }
}

fn span(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.find(|c| !belongs(c)).unwrap_or(text.len())
}

fn number(rest: &str, at: usize) -> Result<(Token<'_>, usize), Error> {
    let length = span(rest, |c| c.is_ascii_alphanumeric() || c == '.' || c == '_');
    let digits = &rest[..length];
    let number = match digits.strip_prefix("0x") {
        Some(hex) if !hex.is_empty() && hex.bytes().all(|b| b.is_ascii_hexdigit()) => {
            i64::from_str_radix(hex, 16).ok()
        }
        _ => digits.parse().ok(),
    };
    match number {
        Some(number) => Ok((Token::Int(number), length)),
        None => Err((at, ConditionFault::Number(digits.to_owned()))),
    }
}

/// A quoted text and the length of it, quotes included. In Capsem's dialect a backslash stays in
/// the text, and keeps the quote behind it from ending it.
fn text_token(
    rest: &str,
    at: usize,
    raw: bool,
    dialect: Dialect,
) -> Result<(Token<'static>, usize), Error> {
    let start = usize::from(raw);
    let mut chars = rest[start..].char_indices();
    let quote = chars.next().map(|(_, quote)| quote);
    let mut text = String::new();
    while let Some((index, char)) = chars.next() {
        let index = start + index;
        if Some(char) == quote {
            return Ok((Token::Text(text), index + 1));
        }
        match (char, dialect) {
            ('\\', Dialect::Capsem) => {
                text.push(char);
                text.extend(chars.next().map(|(_, next)| next));
            }
            ('\\', Dialect::Cel) if !raw => {
                let (char, length) = escape(&rest[index + 1..])
                    .ok_or_else(|| (at + index, ConditionFault::Escape(quoted(&rest[index..]))))?;
                text.push(char);
                for _ in 0..length {
                    chars.next();
                }
            }
            _ => text.push(char),
        }
    }
    Err((at, ConditionFault::Quote))
}

fn quoted(rest: &str) -> String {
    rest.chars().take(2).collect::<String>().escape_debug().to_string().replace("\\\\", "\\")
}

/// The character that stands behind a backslash, and how many ASCII characters spell it.
fn escape(rest: &str) -> Option<(char, usize)> {
    let digits = |start: usize, length: usize, radix: u32| {
        let digits = rest.get(start..start + length)?;
        let all = digits.chars().all(|c| c.is_digit(radix));
        let number = u32::from_str_radix(digits, radix).ok().filter(|_| all)?;
        Some((char::from_u32(number)?, start + length))
    };
    let simple = |char: char| Some((char, 1));
    match rest.chars().next()? {
        'a' => simple('\u{7}'),
        'b' => simple('\u{8}'),
        'f' => simple('\u{c}'),
        'n' => simple('\n'),
        'r' => simple('\r'),
        't' => simple('\t'),
        'v' => simple('\u{b}'),
        same @ ('\\' | '?' | '"' | '\'' | '`') => simple(same),
        'x' | 'X' => digits(1, 2, 16),
        'u' => digits(1, 4, 16),
        'U' => digits(1, 8, 16),
        '0'..='3' => digits(0, 3, 8),
        _ => None,
    }
}
