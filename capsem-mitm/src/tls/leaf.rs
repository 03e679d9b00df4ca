//! Leaf certificates: one per name, minted once, kept in bounded space, renewed in time.

use super::ca;
use crate::authority::Host;
use lru::LruCache;
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer},
    server::NoServerSessionStorage,
};
use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

/// Leaves kept at once: more names than an agent talks to, in a few MiB.
const LEAVES: NonZeroUsize = NonZeroUsize::new(1024).unwrap();
/// A leaf is minted anew when it has less than this left.
const RENEW_BEFORE: Duration = Duration::from_hours(6);

/// Why there is no leaf for a name.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LeafError {
    #[error(transparent)]
    Ca(#[from] ca::CaError),
    #[error("the leaf is not usable: {0}")]
    Tls(#[from] rustls::Error),
}

/// Mints leaves and remembers them.
pub(crate) struct Leaves {
    ca: ca::Authority,
    provider: Arc<rustls::crypto::CryptoProvider>,
    kept: Mutex<LruCache<Host, Kept>>,
}

struct Kept {
    config: Arc<ServerConfig>,
    from: SystemTime,
    until: SystemTime,
}

impl Kept {
    /// Whether it serves now: also false when the clock was set back before it was minted.
    fn serves(&self, now: SystemTime) -> bool {
        self.from <= now && now + RENEW_BEFORE < self.until
    }
}

impl Leaves {
    pub(crate) fn new(ca: ca::Authority) -> Self {
        Self {
            ca,
            provider: Arc::new(aws_lc_rs::default_provider()),
            kept: Mutex::new(LruCache::new(LEAVES)),
        }
    }

    /// The TLS server for a name. Under the lock, so that a name is minted once however many ask;
    /// minting takes a fraction of a millisecond.
    pub(crate) fn config(&self, host: &Host) -> Result<Arc<ServerConfig>, LeafError> {
        self.config_at(host, SystemTime::now())
    }

    fn config_at(&self, host: &Host, now: SystemTime) -> Result<Arc<ServerConfig>, LeafError> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(leaf) = kept.get(host).filter(|leaf| leaf.serves(now)) {
            return Ok(Arc::clone(&leaf.config));
        }
        let leaf = self.ca.issue(host, now)?;
        let config = Arc::new(self.server(leaf.chain, leaf.key)?);
        let fresh =
            Kept { config: Arc::clone(&config), from: leaf.not_before, until: leaf.not_after };
        kept.put(host.clone(), fresh);
        Ok(config)
    }

    fn server(
        &self,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<ServerConfig, rustls::Error> {
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // No session is resumed: a handshake next door is cheap, a name is never taken for another,
        // and clients that read and write from two threads are not handed tickets amid a write.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(config)
    }
}

#[cfg(test)]
mod tests;
