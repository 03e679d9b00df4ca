//! The endpoint's own certificate authority, made anew at each start and trusted by nobody else.
//!
//! A client that trusts only the proxy's authority cannot reach this endpoint past the proxy.
//! Refuses to know sockets and the proxy's authority.

use std::sync::Arc;

use anyhow::{Context, Result};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;

/// Every name the endpoint has a certificate for.
pub(crate) const NAMES: [&str; 5] = [
    "api.openai.com",
    "chatgpt.com",
    "api.anthropic.com",
    "generativelanguage.googleapis.com",
    "echo.example",
];

/// A test CA and the one leaf it issued.
pub(crate) struct Authority {
    ca_pem: String,
    tls: Arc<ServerConfig>,
}

impl Authority {
    /// A new CA with a leaf for all of [`NAMES`], good for this run only.
    pub(crate) fn new() -> Result<Self> {
        Self::of(NAMES.map(String::from))
    }

    /// The same for other names.
    pub(crate) fn of(names: impl Into<Vec<String>>) -> Result<Self> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "capsem-mitm test endpoint CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate()?;
        let ca = params.self_signed(&key)?;
        let issuer = Issuer::new(params, key);

        let leaf_key = KeyPair::generate()?;
        let mut leaf = CertificateParams::new(names)?;
        leaf.distinguished_name.push(DnType::CommonName, "capsem-mitm test endpoint");
        leaf.use_authority_key_identifier_extension = true;
        let leaf = leaf.signed_by(&leaf_key, &issuer)?;

        let mut tls = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(
                vec![leaf.der().clone()],
                PrivateKeyDer::Pkcs8(leaf_key.serialize_der().into()),
            )
            .context("the endpoint's own certificate")?;
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { ca_pem: ca.pem(), tls: Arc::new(tls) })
    }

    /// The CA certificate as PEM: `upstream.extra_roots` of a proxy in front of the endpoint.
    pub(crate) fn pem(&self) -> &str {
        &self.ca_pem
    }

    /// What a server of those names speaks TLS with.
    pub(crate) fn tls(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.tls)
    }
}
