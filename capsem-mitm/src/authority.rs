//! Hosts and authorities, canonical from the start: one spelling for one name.
//!
//! Refuses to know DNS. What does not parse here is never looked up, judged or put in a leaf.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

/// Longest DNS name in text, without its final dot (RFC 1035 section 2.3.4).
const NAME_LIMIT: usize = 253;
/// Longest label of a DNS name.
const LABEL_LIMIT: usize = 63;

/// A host in its one canonical form: an ASCII name in lower case without a final dot, or an address.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Host {
    /// A DNS name.
    Name(String),
    /// An IP literal.
    Address(IpAddr),
}

/// Why a text names no host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// Nothing is there.
    #[error("the host is empty")]
    Empty,
    /// More than 253 bytes, or a label of more than 63.
    #[error("the host name or one of its labels is too long")]
    TooLong,
    /// A byte that no host name has.
    #[error("the host has a character that host names do not have")]
    Character,
    /// An empty label, or a hyphen at a label's edge.
    #[error("the host has a malformed label")]
    Label,
    /// Ends in a number but is no dotted IPv4 address: parsers read such forms differently.
    #[error("the host looks like an IPv4 address but is not written as one")]
    Numeric,
    /// Brackets around something that is no IPv6 address.
    #[error("the host in brackets is no IPv6 address")]
    Brackets,
    /// The port is no number from 1 to 65535.
    #[error("the port is no number from 1 to 65535")]
    Port,
}

impl FromStr for Host {
    type Err = HostError;

    /// Parses a `uri-host` (RFC 3986 section 3.2.2) without percent-encoding.
    fn from_str(text: &str) -> Result<Self, HostError> {
        if let Some(rest) = text.strip_prefix('[') {
            let inside = rest.strip_suffix(']').ok_or(HostError::Brackets)?;
            let address: Ipv6Addr = inside.parse().map_err(|_| HostError::Brackets)?;
            return Ok(Self::Address(address.into()));
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        if name.is_empty() {
            return Err(HostError::Empty);
        }
        if name.len() > NAME_LIMIT {
            return Err(HostError::TooLong);
        }
        for label in name.split('.') {
            check_label(label)?;
        }
        let last = name.rsplit('.').next().unwrap_or(name);
        if is_number(last) {
            let address: Ipv4Addr = name.parse().map_err(|_| HostError::Numeric)?;
            return Ok(Self::Address(address.into()));
        }
        Ok(Self::Name(name.to_ascii_lowercase()))
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(address) => write!(f, "{address}"),
        }
    }
}

fn check_label(label: &str) -> Result<(), HostError> {
    if label.len() > LABEL_LIMIT {
        return Err(HostError::TooLong);
    }
    if !label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
        return Err(HostError::Character);
    }
    if label.is_empty() || label.starts_with('-') || label.ends_with('-') {
        return Err(HostError::Label);
    }
    Ok(())
}

/// Whether resolvers may take the last label for a part of an IPv4 address: decimal, or `0x` hex.
fn is_number(label: &str) -> bool {
    let hex = label.strip_prefix("0x").or_else(|| label.strip_prefix("0X"));
    label.bytes().all(|b| b.is_ascii_digit())
        || hex.is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Authority {
    /// The host.
    pub host: Host,
    /// The port, 1 to 65535.
    pub port: u16,
}

impl Authority {
    /// Parses `host` or `host:port`, with `default` for a port that is left out.
    ///
    /// # Errors
    ///
    /// [`HostError`] names what is wrong with it; userinfo is a character no host has.
    ///
    /// ```
    /// # use capsem_mitm::Authority;
    /// let authority = Authority::parse("API.OpenAI.com.:443", 80).unwrap();
    /// assert_eq!(authority.to_string(), "api.openai.com:443");
    /// assert!(Authority::parse("0x7f.1", 80).is_err());
    /// ```
    pub fn parse(text: &str, default: u16) -> Result<Self, HostError> {
        let after_brackets = match (text.starts_with('['), text.rfind(']')) {
            (true, None) => return Err(HostError::Brackets),
            (_, end) => end.map_or(0, |end| end + 1),
        };
        let (host, port) = match text[after_brackets..].find(':') {
            Some(colon) => {
                let colon = after_brackets + colon;
                (&text[..colon], parse_port(&text[colon + 1..])?)
            }
            None => (text, default),
        };
        Ok(Self { host: host.parse()?, port })
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host {
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]:{}", self.port),
            _ => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

fn parse_port(text: &str) -> Result<u16, HostError> {
    // `u16::from_str` takes a sign; a port has none.
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(HostError::Port);
    }
    match text.parse() {
        Ok(0) | Err(_) => Err(HostError::Port),
        Ok(port) => Ok(port),
    }
}

#[cfg(test)]
mod tests;
