//! `capsem-mitm ca`: the certificate authority, made if it is not there, and shown.

use super::{args::CaArgs, config_file, error::CliError, print};
use crate::tls::ca::Authority;
use capsem_telemetry::Timestamp;
use std::process::ExitCode;

/// Shows where the certificate is, and until when it is valid.
pub(crate) fn ca(args: CaArgs) -> Result<ExitCode, CliError> {
    let dir = args.dir.or_else(config_file::default_ca_dir).ok_or(CliError::NoHome("--dir"))?;
    let authority = Authority::open_or_create(&dir)?;
    let until = Timestamp::from(authority.not_after()).to_string();
    let day = until.split('T').next().unwrap_or(&until);
    print(&format!("{}\nvalid until {day}\n", authority.pem_path().display()))
}
