//! The authority on disk and the leaves it issues.

use super::*;
use rustls::{
    RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier as _},
    crypto::aws_lc_rs,
    pki_types::{ServerName, UnixTime},
};
use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    sync::Arc,
};
use tempfile::TempDir;

struct Fixture {
    folder: TempDir,
}

impl Fixture {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn dir(&self) -> PathBuf {
        self.folder.path().join("deep/ca")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir().join(name)
    }

    fn open(&self) -> Result<Authority, CaError> {
        Authority::open_or_create(&self.dir())
    }
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Checks that a mended-to-be authority is refused with these words.
#[track_caller]
fn refused(spoil: impl FnOnce(&Fixture), words: &str) {
    let fixture = Fixture::new();
    fixture.open().unwrap();
    spoil(&fixture);
    let message = fixture.open().unwrap_err().to_string();
    assert!(message.contains(words), "{message}");
}

#[test]
fn a_new_authority_is_private_and_stays() {
    let fixture = Fixture::new();
    let first = fixture.open().unwrap();
    assert_eq!(mode(&fixture.dir()), 0o700);
    assert_eq!(mode(&fixture.file("ca-key.pem")), 0o600);
    assert_eq!(mode(&fixture.file("ca.pem")), 0o644);
    assert_eq!(first.pem_path(), fixture.file("ca.pem"));
    assert_eq!(first.certificate_pem(), fs::read_to_string(first.pem_path()).unwrap());
    let names: Vec<_> =
        fs::read_dir(fixture.dir()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names.len(), 3, "{names:?}");

    let again = fixture.open().unwrap();
    assert_eq!(first.certificate_der(), again.certificate_der());
    let other = Fixture::new().open().unwrap();
    assert_ne!(first.certificate_der(), other.certificate_der());
}

#[test]
fn what_the_authority_says_of_itself() {
    let authority = Fixture::new().open().unwrap();
    let (_, parsed) = X509Certificate::from_der(authority.certificate_der()).unwrap();
    let name = parsed.subject().to_string();
    let tag = name.strip_prefix("CN=capsem-mitm CA ").unwrap();
    assert!(tag.len() == 8 && tag.bytes().all(|b| b.is_ascii_hexdigit()), "{name}");
    assert_eq!(parsed.issuer(), parsed.subject());
    let constraints = parsed.basic_constraints().unwrap().unwrap();
    assert!(constraints.critical && constraints.value.ca);
    assert_eq!(constraints.value.path_len_constraint, Some(0));
    let usage = parsed.key_usage().unwrap().unwrap();
    assert!(usage.critical);
    assert_eq!(usage.value.flags, 0b110_0000, "keyCertSign and cRLSign");
    let days =
        (authority.not_after.duration_since(authority.not_before).unwrap()).as_secs() / 86_400;
    assert_eq!(days, 3653);
    let before = SystemTime::now().duration_since(authority.not_before).unwrap();
    assert!((DAY..DAY + HOUR).contains(&before));
}

#[test]
fn authorities_that_cannot_be_trusted() {
    refused(
        |f| set_mode(&f.file("ca-key.pem"), 0o640),
        "ca-key.pem can be used by others (mode 0640)",
    );
    refused(|f| set_mode(&f.file("ca-key.pem"), 0o604), "run: chmod 600");
    refused(|f| set_mode(&f.dir(), 0o770), "can be written by others (mode 0770); run: chmod 700");
    refused(|f| fs::remove_file(f.file("ca.pem")).unwrap(), "ca-key.pem is there without");
    refused(|f| fs::remove_file(f.file("ca-key.pem")).unwrap(), "ca.pem is there without");
    refused(
        |f| {
            fs::rename(f.file("ca-key.pem"), f.file("elsewhere")).unwrap();
            symlink(f.file("elsewhere"), f.file("ca-key.pem")).unwrap();
        },
        "ca-key.pem is not a plain file",
    );
    refused(
        |f| {
            fs::remove_file(f.file("ca.pem")).unwrap();
            symlink("/nowhere", f.file("ca.pem")).unwrap();
        },
        "ca.pem is not a plain file",
    );
    refused(
        |f| {
            let other = Fixture::new();
            other.open().unwrap();
            fs::copy(other.file("ca.pem"), f.file("ca.pem")).unwrap();
        },
        "are not of one pair; start anew with: rm -r",
    );
    refused(|f| fs::write(f.file("ca.pem"), "nonsense").unwrap(), "ca.pem is no certificate");
    refused(|f| fs::write(f.file("ca-key.pem"), "").unwrap(), "ca-key.pem is no private key");
    refused(
        |f| {
            let key = KeyPair::generate().unwrap();
            let server = CertificateParams::new(["a.test".to_owned()]).unwrap();
            fs::write(f.file("ca.pem"), server.self_signed(&key).unwrap().pem()).unwrap();
            fs::write(f.file("ca-key.pem"), key.serialize_pem()).unwrap();
        },
        "ca.pem is no certificate of an authority",
    );
}

#[test]
fn an_authority_whose_time_is_over() {
    let fixture = Fixture::new();
    let store = Store::open(&fixture.dir()).unwrap();
    let old = SystemTime::now().checked_sub(CA_LIFETIME + DAY).unwrap();
    store.read_or_create(|| make(old)).ok().unwrap();
    let message = fixture.open().unwrap_err().to_string();
    assert!(message.contains("is not valid at this time"), "{message}");
}

#[test]
fn creators_at_one_time_end_with_one_authority() {
    let fixture = Fixture::new();
    let dir = fixture.dir();
    let open = || Authority::open_or_create(&dir).unwrap().certificate_der().clone();
    let certificates: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..16).map(|_| scope.spawn(open)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(certificates.iter().all(|certificate| certificate == &certificates[0]));
}

#[test]
fn debug_shows_no_key() {
    let fixture = Fixture::new();
    let authority = fixture.open().unwrap();
    let leaf = authority.issue(&"a.test".parse().unwrap(), SystemTime::now()).unwrap();
    assert_eq!(
        format!("{authority:?}"),
        format!("Authority {{ pem_path: {:?}, .. }}", fixture.file("ca.pem"))
    );
    assert!(format!("{leaf:?}").starts_with("Leaf { not_after: "));
}

/// Checks a leaf for `host` as a client does that trusts the authority.
#[track_caller]
fn verify(host: &str, asked: &str) -> Result<(), rustls::Error> {
    let authority = Fixture::new().open().unwrap();
    let now = SystemTime::now();
    let leaf = authority.issue(&host.parse().unwrap(), now).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(authority.certificate_der().clone()).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
    let seconds = now.duration_since(UNIX_EPOCH).unwrap();
    let name = ServerName::try_from(asked).unwrap();
    let time = UnixTime::since_unix_epoch(seconds);
    verifier.build().unwrap().verify_server_cert(&leaf.chain[0], &[], &name, &[], time)?;
    Ok(())
}

#[test]
fn clients_accept_a_leaf_for_its_name_alone() {
    for host in ["api.openai.com", "a_b.example.com", "127.0.0.1"] {
        verify(host, host).unwrap();
    }
    verify("[::1]", "::1").unwrap();
    verify("api.openai.com", "openai.com").unwrap_err();
    verify("api.openai.com", "x.api.openai.com").unwrap_err();
    verify("127.0.0.1", "127.0.0.2").unwrap_err();
}

#[test]
fn what_a_leaf_says_of_itself() {
    let authority = Fixture::new().open().unwrap();
    let now = SystemTime::now();
    let leaf = authority.issue(&"api.openai.com".parse().unwrap(), now).unwrap();
    let (_, parsed) = X509Certificate::from_der(&leaf.chain[0]).unwrap();
    let names = parsed.subject_alternative_name().unwrap().unwrap();
    assert_eq!(names.value.general_names.len(), 1);
    assert!(!parsed.is_ca());
    assert_eq!(parsed.key_usage().unwrap().unwrap().value.flags, 1, "digitalSignature");
    let usage = parsed.extended_key_usage().unwrap().unwrap().value;
    assert!(usage.server_auth && !usage.client_auth && !usage.any && usage.other.is_empty());
    let (begin, end) = (parsed.validity().not_before, parsed.validity().not_after);
    assert_eq!(end.timestamp() - begin.timestamp(), 48 * 3600);
    let now = i64::try_from(now.duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap();
    assert_eq!(now - begin.timestamp(), 3600);
    let serial = parsed.raw_serial();
    assert!(serial.len() == 16 && (0x40..0x80).contains(&serial[0]), "{serial:02x?}");
}

#[test]
fn a_leaf_never_outlives_the_authority() {
    let authority = Fixture::new().open().unwrap();
    let host: Host = "a.test".parse().unwrap();
    let late = authority.not_after.checked_sub(HOUR).unwrap();
    assert_eq!(authority.issue(&host, late).unwrap().not_after, authority.not_after);
    let early = authority.issue(&host, authority.not_before).unwrap();
    let (_, parsed) = X509Certificate::from_der(&early.chain[0]).unwrap();
    let begin = u64::try_from(parsed.validity().not_before.timestamp()).unwrap();
    assert_eq!(UNIX_EPOCH + Duration::from_secs(begin), authority.not_before);
    authority.issue(&host, authority.not_after).unwrap_err();
    authority.issue(&host, authority.not_before.checked_sub(HOUR).unwrap()).unwrap_err();
}
