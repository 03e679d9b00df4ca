//! `demo`: one session of a real agent through the proxy, and the ledger it leaves.
//!
//! No key and no network: the model endpoint is ours, and the policy blocks every other name.

mod model_client;

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::accept;
use crate::clients::Clients;
use crate::codex::Codex;
use crate::endpoint::{Authority, Endpoint, Log};
use crate::paths;
use crate::process;
use crate::proxy::{self, Setup};

pub(crate) use model_client::model_client;

/// A session takes about two seconds; a client that reconnects for ever must not.
const LIMIT: Duration = Duration::from_mins(1);

/// Only the model API, so nothing else can leave.
const POLICY: &str = include_str!("policy.toml");

/// What the agent is asked; the endpoint answers with a tool call for the command.
const PROMPT: &str = "Please run: echo hello from a tool";

/// Runs the demo.
pub(crate) fn demo() -> Result<()> {
    println!("building capsem-mitm ...");
    proxy::build()?;
    let folder = paths::target().join("demo");
    let _ = fs::remove_dir_all(&folder); // the first demo has none
    fs::create_dir_all(&folder)?;
    let client = client(&folder)?;
    let began = Instant::now();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(session(&folder, &client))?;
    println!("\n{:.1} s; the files are in {}", began.elapsed().as_secs_f64(), folder.display());
    Ok(())
}

/// Codex where npm is there, else our own client; says which.
fn client(folder: &Path) -> Result<Command> {
    match Clients::node() {
        Ok(clients) => {
            println!("client: the real Codex CLI, pinned, unmodified");
            Ok(Codex::new(clients.codex(), folder)?.exec("gpt-5.5", PROMPT))
        }
        Err(error) => {
            println!("client: the OpenAI-shaped one in xtask, as Codex cannot be had ({error:#})");
            let mut client = Command::new(std::env::current_exe()?);
            client.arg("model-client").current_dir(folder);
            Ok(client)
        }
    }
}

async fn session(folder: &Path, client: &Command) -> Result<()> {
    let authority = Authority::new()?;
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let endpoint = Endpoint::start(&authority, any, Log::default()).await?;
    println!("endpoint: https://{}, standing in for api.openai.com", endpoint.address());
    let setup = Setup::write(folder, None, endpoint.address(), authority.pem(), POLICY)?;
    let run = setup.run(client);
    println!(
        "running: capsem-mitm run --config {} -- {} ...",
        folder.join("config.toml").display(),
        client.get_program().display()
    );
    let finished = process::run_limited(run, folder, "client", LIMIT).await?;
    let log = endpoint.stop().await?;
    println!("\nwhat the client said:\n{}", finished.stdout.trim_end());
    ensure!(
        finished.status.success(),
        "the client ended with {}: {}",
        finished.status,
        process::last_line(&finished.stderr)
    );
    println!("\nwhat the ledger says:");
    process::run(Command::new(proxy::program()).arg("ledger").arg(setup.ledger()))
        .context("cannot show the ledger")?;
    let equal = accept::same(&setup.jsonl(), &log).context("ledger and endpoint disagree")?;
    println!("\nthe endpoint's own log says the same: {equal}");
    Ok(())
}
