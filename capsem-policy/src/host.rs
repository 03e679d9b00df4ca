//! One entry of `hosts`. Refuses to know names that are not canonical: those never match.

use crate::error::HostFault;
use std::net::{IpAddr, Ipv6Addr};

/// Which hosts an entry stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HostPattern {
    /// `*`: any host, names and addresses alike.
    Any,
    /// A name or an address in canonical form.
    Exact(String),
    /// `.example.com`, from `*.example.com`: one label or more before it, never the name itself.
    Below(String),
}

impl HostPattern {
    /// Reads an entry and brings it to the form in which hosts are compared.
    pub(crate) fn parse(text: &str) -> Result<Self, HostFault> {
        if text == "*" {
            return Ok(Self::Any);
        }
        let (below, name) = match text.strip_prefix("*.") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        if name.contains('*') {
            return Err(HostFault::Star);
        }
        match (canonical(name)?, below) {
            (Canonical::Name(name), true) => Ok(Self::Below(format!(".{name}"))),
            (Canonical::Address(_), true) => Err(HostFault::Star),
            (Canonical::Name(name), false) => Ok(Self::Exact(name)),
            (Canonical::Address(address), false) => Ok(Self::Exact(address.to_string())),
        }
    }

    /// Whether this canonical host is one of them.
    pub(crate) fn matches(&self, host: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(name) => host == name,
            Self::Below(suffix) => {
                host.strip_suffix(suffix.as_str()).is_some_and(|front| !front.is_empty())
            }
        }
    }
}

enum Canonical {
    Name(String),
    Address(IpAddr),
}

fn canonical(text: &str) -> Result<Canonical, HostFault> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    if let Ok(address) = bare.unwrap_or(text).parse::<Ipv6Addr>() {
        return Ok(Canonical::Address(address.into()));
    }
    if !text.is_ascii() {
        return Err(HostFault::NotAscii);
    }
    let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    if let Ok(address) = name.parse::<IpAddr>() {
        return Ok(Canonical::Address(address));
    }
    let labels = || name.split('.');
    if labels().any(str::is_empty) {
        return Err(HostFault::EmptyLabel);
    }
    if !name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.')) {
        return Err(HostFault::Character);
    }
    if name.len() > 253 || labels().any(|label| label.len() > 63) {
        return Err(HostFault::Length);
    }
    if labels().next_back().is_some_and(is_number) {
        return Err(HostFault::Ipv4);
    }
    Ok(Canonical::Name(name))
}

/// Whether resolvers take a name that ends in this label for an IPv4 address.
fn is_number(label: &str) -> bool {
    match label.strip_prefix("0x") {
        Some(hex) => hex.bytes().all(|b| b.is_ascii_hexdigit()),
        None => label.bytes().all(|b| b.is_ascii_digit()),
    }
}

#[cfg(test)]
mod tests;
