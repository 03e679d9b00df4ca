//! Every developer task of the workspace: `cargo xtask TASK`.
//!
//! One module per task; this file only names them.

mod accept;
mod attacks;
mod bench;
mod ci;
mod clients;
mod codex;
mod conformance;
mod demo;
mod echo;
mod endpoint;
mod faults;
mod install;
mod kills;
mod ledger;
mod mitmproxy;
mod namespace;
mod paths;
mod process;
mod proxy;
mod sinks;
mod soak;
mod socket;
mod tls;
mod vitals;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Every developer task of this workspace.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Real clients through the built program, its ledger compared with what was really sent
    Accept(accept::Arguments),
    /// The Autobahn suite against the codec and through the built program, both roles
    Conformance(conformance::Arguments),
    /// Every way a connection can fail, at every moment: 84 cells through the built program
    Faults(faults::Arguments),
    /// Many sockets that come, talk, break and go through the built program, for minutes
    Soak(soak::Arguments),
    /// What each attack on the built program costs it in memory and CPU, and who is served meanwhile
    Attacks(attacks::Arguments),
    /// The built program killed under traffic, again and again, on one ledger
    Kills(kills::Arguments),
    /// The built program under traffic while its ledger can take nothing, and after
    Sinks(sinks::Arguments),
    /// Figures beside those of others, measured in one run
    #[command(subcommand)]
    Bench(bench::Bench),
    /// A real agent through the proxy, and the ledger it leaves: no key, no network
    Demo,
    /// Installs the pinned clients of `accept` and `demo`
    Clients,
    /// Runs the local model endpoint by hand, printing what it sees and sends
    Endpoint(endpoint::Arguments),
    #[command(flatten)]
    Ci(ci::Step),
    /// The client `demo` uses where Codex cannot be had
    #[command(hide = true)]
    ModelClient,
}

fn main() -> ExitCode {
    let done = match Arguments::parse().task {
        Task::Accept(arguments) => accept::accept(&arguments),
        Task::Conformance(arguments) => conformance::conformance(&arguments),
        Task::Faults(arguments) => faults::faults(&arguments),
        Task::Soak(arguments) => soak::soak(&arguments),
        Task::Attacks(arguments) => attacks::attacks(&arguments),
        Task::Kills(arguments) => kills::kills(&arguments),
        Task::Sinks(arguments) => sinks::sinks(&arguments),
        Task::Bench(arguments) => bench::bench(&arguments),
        Task::Ci(step) => ci::run(&step),
        Task::Demo => demo::demo(),
        Task::ModelClient => demo::model_client(),
        Task::Clients => clients::Clients::install().map(drop),
        Task::Endpoint(arguments) => endpoint::by_hand(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
