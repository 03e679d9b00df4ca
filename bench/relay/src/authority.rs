//! The run's own certificate authority: the backend's certificate, and that of the tunnels.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};

use crate::ends::{MODEL, PLAIN};

/// Where its files are.
#[derive(Clone)]
pub struct Authority {
    folder: PathBuf,
}

impl Authority {
    /// Makes an authority and a certificate for both names, as files in `folder`.
    pub fn create(folder: &Path) -> Result<Self> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "bench relay CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate()?;
        let ca = params.self_signed(&key)?.pem();
        let ca_key = key.serialize_pem();
        let issuer = Issuer::new(params, key);
        let leaf_key = KeyPair::generate()?;
        // The address is for proxies that cannot be told where a name is.
        let mut leaf = CertificateParams::new([PLAIN, MODEL, "127.0.0.1"].map(String::from))?;
        leaf.use_authority_key_identifier_extension = true;
        let leaf = leaf.signed_by(&leaf_key, &issuer)?.pem();
        let new = Self { folder: folder.to_owned() };
        fs::write(new.ca(), ca)?;
        fs::write(new.ca_key(), ca_key)?;
        fs::write(new.leaf(), leaf)?;
        fs::write(new.leaf_key(), leaf_key.serialize_pem())?;
        Ok(new)
    }

    /// One that was created.
    pub fn open(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Where its files are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its certificate.
    pub fn ca(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// Its key.
    pub fn ca_key(&self) -> PathBuf {
        self.folder.join("ca.key")
    }

    /// A certificate for both names.
    pub fn leaf(&self) -> PathBuf {
        self.folder.join("leaf.pem")
    }

    /// The key of that.
    pub fn leaf_key(&self) -> PathBuf {
        self.folder.join("leaf.key")
    }

    /// Serves with the leaf.
    pub fn server(&self) -> Result<Arc<ServerConfig>> {
        let chain = CertificateDer::pem_file_iter(self.leaf())?.collect::<Result<_, _>>()?;
        let key = PrivateKeyDer::from_pem_file(self.leaf_key())?;
        let mut config =
            ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    /// Trusts what this authority signed. Resumes, as clients do by default.
    pub fn client(&self) -> Result<Arc<ClientConfig>> {
        Ok(Arc::new(trusting(&self.ca())?))
    }
}

/// Trusts what the authority in `pem` signed, and makes every handshake a whole one.
pub fn whole_handshakes(pem: &Path) -> Result<Arc<ClientConfig>> {
    let mut config = trusting(pem)?;
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

fn trusting(pem: &Path) -> Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_file_iter(pem)? {
        roots.add(root.with_context(|| format!("no certificate in {}", pem.display()))?)?;
    }
    let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
