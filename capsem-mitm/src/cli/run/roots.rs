//! The certificates a client trusts that is given a file in place of its own: the system's and
//! ours. Refuses to know who reads them.

use base64::{Engine as _, engine::general_purpose::STANDARD};

/// Columns of a PEM text (RFC 7468 section 2).
const COLUMNS: usize = 64;

/// The system's roots, as far as they can be read, and this authority.
///
/// Without the system's, a client behind the proxy still works, as it meets our leaves only; the
/// log says so, for clients that go elsewhere.
pub(super) fn with(authority: &str) -> String {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "some roots of the system cannot be read");
    }
    if found.certs.is_empty() {
        tracing::warn!("the system has no roots; the command trusts the proxy's authority alone");
    }
    let mut text = authority.to_owned();
    for certificate in &found.certs {
        push_pem(&mut text, certificate);
    }
    text
}

/// Adds a certificate as PEM.
fn push_pem(text: &mut String, der: &[u8]) {
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str("-----BEGIN CERTIFICATE-----\n");
    for (index, character) in STANDARD.encode(der).chars().enumerate() {
        if index > 0 && index % COLUMNS == 0 {
            text.push('\n');
        }
        text.push(character);
    }
    text.push_str("\n-----END CERTIFICATE-----\n");
}

#[cfg(test)]
mod tests;
