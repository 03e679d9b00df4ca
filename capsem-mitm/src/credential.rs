//! Credentials: the guest holds a placeholder, the upstream gets the value.
//!
//! [`substitute()`] puts values into a request that was allowed, [`Masks`] takes them out of what
//! comes back. Where the values are kept a [`CredentialSource`] knows. Refuses to know policy,
//! sockets and records.
//!
//! A placeholder stands as a whole header value, as a header value's second word (`Bearer
//! <placeholder>`), as a query value, as a subprotocol, or as the last part of one
//! (`openai-insecure-api-key.<placeholder>`). Paths, bodies and parts of longer words are left
//! alone.
//!
//! ```
//! use capsem_mitm::credential::{
//!     Credential, CredentialSource, Found, Link, Secret, Target, Unresolved, substitute,
//! };
//!
//! struct One;
//! impl CredentialSource for One {
//!     fn resolve(&self, found: &Found<'_>) -> Result<Option<Credential>, Unresolved> {
//!         let mine = found.text == "stand-in" && found.target.host == "api.example.com";
//!         let value = || Ok(Credential::new("stand-in", Secret::new("s3cr3t-value")?));
//!         mine.then(value).transpose()
//!     }
//! }
//!
//! let request = http::Request::get("/").header("authorization", "Bearer stand-in").body(())?;
//! let (mut head, ()) = request.into_parts();
//! let target = Target { host: "api.example.com", port: 443, link: Link::Tls };
//! let masks = substitute(&mut head, target, &One)?;
//! assert_eq!(head.headers["authorization"], "Bearer s3cr3t-value");
//! assert_eq!(masks.references(), ["stand-in"]);
//! // What an upstream repeats in a response head, the guest does not see.
//! let mut back = http::HeaderMap::new();
//! back.insert("x-echo", "got s3cr3t-value".parse()?);
//! masks.hide(&mut back);
//! assert_eq!(back["x-echo"], "got stand-in");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod mask;
mod substitute;
#[cfg(feature = "proxy")]
mod table;

#[cfg(feature = "proxy")]
pub(crate) use self::table::Table;
#[cfg(feature = "proxy")]
pub use self::table::{LiveCredentials, Reread, TableError};
pub use self::{mask::Masks, substitute::substitute};

use http::{HeaderName, HeaderValue};
use zeroize::Zeroizing;

/// Bytes a value has at least. A shorter one would be taken for the letters of other words.
const SHORTEST: usize = 8;

/// A credential's value. It is wiped from memory when dropped, and cannot be shown:
///
/// ```compile_fail
/// fn show(_: impl std::fmt::Debug) {}
/// show(capsem_mitm::credential::Secret::new("s3cr3t-value"));
/// ```
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the buffer over; it is not copied.
    ///
    /// # Errors
    ///
    /// [`Unresolved::Unusable`] for fewer than eight bytes, which would be found in words that are
    /// no secret, and for bytes no header can carry.
    pub fn new(value: impl Into<Vec<u8>>) -> Result<Self, Unresolved> {
        let value = Zeroizing::new(value.into());
        if value.len() < SHORTEST || HeaderValue::from_bytes(&value).is_err() {
            return Err(Unresolved::Unusable);
        }
        Ok(Self(value))
    }

    pub(crate) fn expose(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn share(&self) -> Self {
        Self(Zeroizing::new(self.0.to_vec()))
    }
}

/// A value and what may be written down of it.
pub struct Credential {
    reference: String,
    prefix: String,
    secret: Secret,
}

impl Credential {
    /// `reference` names it in records; it is no secret.
    pub fn new(reference: impl Into<String>, secret: Secret) -> Self {
        Self { reference: reference.into(), prefix: String::new(), secret }
    }

    /// The same with words that go before the value where it becomes a whole header value, such as
    /// `Bearer `.
    #[must_use]
    pub fn with_prefix(self, prefix: impl Into<String>) -> Self {
        Self { prefix: prefix.into(), ..self }
    }
}

/// Where credentials are kept.
pub trait CredentialSource: Send + Sync + 'static {
    /// The credential that `found` stands for. Called for every text of an allowed request that
    /// could be a placeholder, so it must be quick to say no.
    ///
    /// `Ok(None)`: it stands for nothing, or for a credential of another host, and goes on as it
    /// is.
    ///
    /// # Errors
    ///
    /// It stands for a credential that this request must have and cannot: the request is refused
    /// and nothing of it is sent.
    fn resolve(&self, found: &Found<'_>) -> Result<Option<Credential>, Unresolved>;
}

/// A text that could be a placeholder.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// The text; of a query value, decoded.
    pub text: &'a str,
    /// Where it stands.
    pub place: Place<'a>,
    /// Where the request goes.
    pub target: Target<'a>,
}

/// A place for a credential in a request head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place<'a> {
    /// The whole value of this header.
    Header(&'a HeaderName),
    /// All that follows the first word of this header's value.
    AfterScheme(&'a HeaderName),
    /// A value of the query.
    Query,
    /// A subprotocol, or what follows one of its dots.
    Subprotocol,
}

/// Where a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    /// The canonical host: lower case, no final dot.
    pub host: &'a str,
    /// The port.
    pub port: u16,
    /// How it is reached.
    pub link: Link,
}

/// How a target is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// TLS, verified.
    Tls,
    /// In the clear, at an address the operator pinned.
    Pinned,
    /// In the clear, wherever DNS says.
    Clear,
}

/// Why a request cannot have its credential. No variant holds a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unresolved {
    /// There is none of this reference.
    #[error("the request refers to a credential that is not known here")]
    Unknown,
    /// The source cannot give it now.
    #[error("the credential cannot be had now")]
    Unavailable,
    /// It would travel in the clear.
    #[error("the credential is not sent without TLS")]
    Clear,
    /// The method asks the server to repeat the request (RFC 9110 section 9.3.8).
    #[error("a TRACE request is given no credential")]
    Trace,
    /// The value cannot stand in this place, or in none.
    #[error("the credential has bytes this place cannot hold, or fewer than eight")]
    Unusable,
}
