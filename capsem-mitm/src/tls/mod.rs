//! TLS towards the client: the certificate authority, the leaves it signs, and where TLS ends.

pub mod ca;
pub(crate) mod leaf;
pub(crate) mod terminate;
