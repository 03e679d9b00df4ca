//! The variables by which common clients learn of a proxy and of its authority. Refuses to know
//! how either is made.

use crate::config::{self, CredentialConfig};
use std::{ffi::OsString, path::Path};

/// What a variable is set to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Value {
    /// The URL of the proxy.
    Proxy,
    /// Nothing, over whatever it was: an exception would be a way past the proxy.
    Nothing,
    /// `1`.
    Yes,
    /// Roots in place of the client's own: the system's and ours.
    Bundle,
    /// Roots beside the client's own: ours alone.
    Authority,
}

/// Every variable, in groups of one value.
const VARIABLES: [(&str, Value); 25] = [
    ("HTTPS_PROXY", Value::Proxy),
    ("https_proxy", Value::Proxy),
    ("HTTP_PROXY", Value::Proxy),
    ("http_proxy", Value::Proxy),
    ("ALL_PROXY", Value::Proxy),
    ("all_proxy", Value::Proxy),
    ("NO_PROXY", Value::Nothing),
    ("no_proxy", Value::Nothing),
    ("NODE_USE_ENV_PROXY", Value::Yes),    // Node 22.21 and later
    ("SSL_CERT_FILE", Value::Bundle),      // OpenSSL, Go, rustls, Ruby, uv
    ("REQUESTS_CA_BUNDLE", Value::Bundle), // Python requests
    ("CURL_CA_BUNDLE", Value::Bundle),     // curl, Python requests
    ("GIT_SSL_CAINFO", Value::Bundle),     // git
    ("PIP_CERT", Value::Bundle),           // pip
    ("AWS_CA_BUNDLE", Value::Bundle),      // AWS command line and SDKs
    ("CARGO_HTTP_CAINFO", Value::Bundle),  // cargo
    ("HTTPLIB2_CA_CERTS", Value::Bundle),  // Python httplib2
    ("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", Value::Bundle), // gRPC
    ("CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE", Value::Bundle), // Google Cloud command line
    ("NIX_SSL_CERT_FILE", Value::Bundle),  // Nix
    ("npm_config_cafile", Value::Bundle),  // npm
    ("YARN_HTTPS_CA_FILE_PATH", Value::Bundle), // Yarn
    ("CODEX_CA_CERTIFICATE", Value::Authority), // Codex
    ("NODE_EXTRA_CA_CERTS", Value::Authority), // Node, Bun
    ("DENO_CERT", Value::Authority),       // Deno
];

/// The variables and their values.
pub(super) fn variables(
    proxy: &str,
    bundle: &Path,
    authority: &Path,
) -> impl Iterator<Item = (&'static str, OsString)> {
    VARIABLES.iter().map(move |(name, value)| {
        let value = match value {
            Value::Proxy => proxy.into(),
            Value::Nothing => OsString::new(),
            Value::Yes => "1".into(),
            Value::Bundle => bundle.into(),
            Value::Authority => authority.into(),
        };
        (*name, value)
    })
}

/// The variables whose values the proxy keeps to itself, each with the placeholder that the command
/// gets in its place.
pub(super) fn placeholders(credentials: &[CredentialConfig]) -> Vec<(String, String)> {
    let placeholder = |credential: &CredentialConfig| match &credential.value {
        config::Value::Variable(name) => Some((name.clone(), credential.token().to_owned())),
        config::Value::File(_) => None,
    };
    credentials.iter().filter_map(placeholder).collect()
}
