//! The certificate authority of one installation, and the leaves it issues. Refuses to know who
//! asks for a leaf, and keeps none.

mod error;
mod store;

pub use self::error::CaError;

use self::store::{Pair, Store};
use crate::authority::Host;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData as _, SanType, SerialNumber,
};
use rustls::pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer,
    pem::{self, PemObject as _},
};
use std::{
    fmt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use x509_parser::prelude::{FromDer as _, X509Certificate};

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = HOUR.saturating_mul(24);

/// How long a new authority is valid: until its machine is gone.
const CA_LIFETIME: Duration = DAY.saturating_mul(3653);

/// How long a leaf is valid, from its beginning in the past to its end. Short, as nobody can revoke
/// it.
const LEAF_LIFETIME: Duration = DAY.saturating_mul(2);

/// How far a leaf begins in the past, for clients whose clocks are slow.
const LEAF_BACKDATE: Duration = HOUR;

/// A certificate authority made for this installation and no other.
///
/// Its folder holds `ca-key.pem` (mode 0600) and `ca.pem`, which clients are to trust. The key
/// leaves neither the folder nor this value, which has no `Debug` of it.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// use capsem_mitm::tls::ca::Authority;
/// let authority = Authority::open_or_create(&folder.path().join("ca"))?;
/// let leaf = authority.issue(&"api.openai.com".parse()?, std::time::SystemTime::now())?;
/// assert_eq!(leaf.chain.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    pem: String,
    pem_path: PathBuf,
    not_before: SystemTime,
    not_after: SystemTime,
}

/// A certificate for one host, and its key.
pub struct Leaf {
    /// What a server sends: the certificate alone, as the authority itself signed it.
    pub chain: Vec<CertificateDer<'static>>,
    /// Its key, new for this leaf.
    pub key: PrivateKeyDer<'static>,
    /// When it begins, an hour before it was issued.
    pub not_before: SystemTime,
    /// When it ends, at most 47 hours after it was issued.
    pub not_after: SystemTime,
}

impl Authority {
    /// Opens the authority in this folder; makes folder and authority if they are not there.
    ///
    /// Processes that do so at one time end with one and the same authority.
    ///
    /// # Errors
    ///
    /// Refuses a folder that others can write, a key that others can read, links, files of other
    /// users, half a pair, a key that is not the certificate's, and a certificate out of its time.
    /// Each message says what mends it.
    pub fn open_or_create(dir: &Path) -> Result<Self, CaError> {
        let store = Store::open(dir)?;
        let now = SystemTime::now();
        let pair = store.read_or_create(|| make(now))?;
        Self::read(&store, &pair, now)
    }

    /// A leaf for this host, valid now.
    ///
    /// # Errors
    ///
    /// When `now` is outside the authority's own validity, or the library refuses.
    pub fn issue(&self, host: &Host, now: SystemTime) -> Result<Leaf, CaError> {
        if !(self.not_before..self.not_after).contains(&now) {
            return Err(CaError::OutsideValidity { host: host.clone() });
        }
        let failed = |error| CaError::Make { subject: host.to_string(), error };
        let begin = now.checked_sub(LEAF_BACKDATE).unwrap_or(now).max(self.not_before);
        let end = begin.checked_add(LEAF_LIFETIME).unwrap_or(self.not_after).min(self.not_after);
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "capsem-mitm leaf");
        params.subject_alt_names = vec![match host {
            Host::Address(address) => SanType::IpAddress(*address),
            Host::Name(name) => SanType::DnsName(name.as_str().try_into().map_err(boxed(failed))?),
        }];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        params.not_before = begin.into();
        params.not_after = end.into();
        params.serial_number = Some(serial()?);
        let key = KeyPair::generate().map_err(boxed(failed))?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(boxed(failed))?;
        Ok(Leaf {
            chain: vec![certificate.into()],
            key: PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            not_before: begin,
            not_after: end,
        })
    }

    /// The certificate that clients are to trust.
    pub fn certificate_der(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The same as text.
    pub fn certificate_pem(&self) -> &str {
        &self.pem
    }

    /// The file that holds it.
    pub fn pem_path(&self) -> &Path {
        &self.pem_path
    }

    /// When its time is over.
    pub fn not_after(&self) -> SystemTime {
        self.not_after
    }

    fn read(store: &Store, pair: &Pair, now: SystemTime) -> Result<Self, CaError> {
        let dir = || store.dir().to_path_buf();
        let bad_certificate = || CaError::Malformed {
            path: store.certificate_path(),
            expected: "certificate of an authority",
            dir: dir(),
        };
        let certificate = CertificateDer::from_pem_slice(pair.certificate.as_bytes())
            .map_err(|_: pem::Error| bad_certificate())?;
        let facts = Facts::read(&certificate).ok_or_else(bad_certificate)?;
        let key = KeyPair::from_pem(&pair.key).map_err(|_| CaError::Malformed {
            path: store.key_path(),
            expected: "private key",
            dir: dir(),
        })?;
        if facts.public_key != key.subject_public_key_info() {
            return Err(CaError::Mismatch { dir: dir() });
        }
        if !(facts.not_before..facts.not_after).contains(&now) {
            return Err(CaError::NotValidNow { dir: dir() });
        }
        let issuer = Issuer::from_ca_cert_der(&certificate, key).map_err(|_| bad_certificate())?;
        Ok(Self {
            issuer,
            certificate,
            pem: pair.certificate.clone(),
            pem_path: store.certificate_path(),
            not_before: facts.not_before,
            not_after: facts.not_after,
        })
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("pem_path", &self.pem_path).finish_non_exhaustive()
    }
}

impl fmt::Debug for Leaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leaf").field("not_after", &self.not_after).finish_non_exhaustive()
    }
}

/// What the certificate of an authority says of itself.
struct Facts {
    public_key: Vec<u8>,
    not_before: SystemTime,
    not_after: SystemTime,
}

impl Facts {
    fn read(certificate: &CertificateDer<'_>) -> Option<Self> {
        let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
        let signs = parsed.key_usage().ok()?.is_some_and(|usage| usage.value.key_cert_sign());
        if !parsed.is_ca() || !signs {
            return None;
        }
        let time = |seconds: i64| {
            UNIX_EPOCH.checked_add(Duration::from_secs(u64::try_from(seconds).ok()?))
        };
        Some(Self {
            public_key: parsed.public_key().raw.to_vec(),
            not_before: time(parsed.validity().not_before.timestamp())?,
            not_after: time(parsed.validity().not_after.timestamp())?,
        })
    }
}

/// A new authority, valid from yesterday so that no clock of a client is too slow for it.
fn make(now: SystemTime) -> Result<Pair, CaError> {
    let failed = |error| CaError::Make { subject: "the authority".to_owned(), error };
    let name = format!("capsem-mitm CA {:08x}", u32::from_be_bytes(random()?));
    let begin = now.checked_sub(DAY).unwrap_or(now);
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = begin.into();
    params.not_after = begin.checked_add(CA_LIFETIME).unwrap_or(now).into();
    params.serial_number = Some(serial()?);
    let key = KeyPair::generate().map_err(boxed(failed))?;
    let certificate = params.self_signed(&key).map_err(boxed(failed))?;
    Ok(Pair { key: key.serialize_pem(), certificate: certificate.pem() })
}

/// 16 random bytes whose first two bits are 01: positive, not zero, and of one length (RFC 5280
/// section 4.1.2.2).
fn serial() -> Result<SerialNumber, CaError> {
    let mut bytes: [u8; 16] = random()?;
    bytes[0] = bytes[0] & 0x7f | 0x40;
    Ok(SerialNumber::from_slice(&bytes))
}

fn random<const N: usize>() -> Result<[u8; N], CaError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| CaError::Random)?;
    Ok(bytes)
}

fn boxed<E: std::error::Error + Send + Sync + 'static>(
    make: impl Fn(Box<dyn std::error::Error + Send + Sync>) -> CaError,
) -> impl Fn(E) -> CaError {
    move |error| make(error.into())
}

#[cfg(test)]
mod tests;
