//! The `capsem-mitm` program. Refuses to know anything itself: see `capsem_mitm::cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    capsem_mitm::cli::main()
}
