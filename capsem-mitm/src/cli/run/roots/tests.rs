//! PEM texts that others can read.

use super::*;
use rustls::pki_types::{CertificateDer, pem::PemObject as _};

#[test]
fn what_is_written_reads_back() {
    for length in [0, 1, 47, 48, 49, 96, 1000] {
        let der = vec![0xa5; length];
        let mut text = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----".to_owned();
        push_pem(&mut text, &der);
        assert!(text.lines().all(|line| line.len() <= COLUMNS), "{text}");
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
        let found = found.unwrap();
        assert_eq!(found.len(), 2, "{text}");
        assert_eq!(found[1].as_ref(), der);
    }
}
