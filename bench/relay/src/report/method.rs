//! How a run was made.

use machine::Machine;

use crate::harness::Plan;

/// The command that made it.
pub const COMMAND: &str = "cargo xtask bench relay";

/// A list in Markdown.
pub fn lines(machine: &Machine, plan: Plan) -> String {
    let Plan { rounds, long_rounds, slice, idle } = plan;
    let (line, rustc, arch) = (machine.line(), machine.rustc(), std::env::consts::ARCH);
    format!(
        "- {line}\n\
         - `{COMMAND} --record` writes `relay.md`, `relay.json` and `relay.svg` in \
         `xtask/record/{arch}`; `--json FILE` the rows alone.\n\
         - {rustc}; release. Every proxy is a process of its own on one CPU; client, server and clock \
         share the other. Where one message is in flight, all are on one CPU.\n\
         - capsem-mitm is the program as it is built: TLS on both legs, a policy, every frame and \
         message read, model calls put together, a `SQLite` ledger, in which every model response is \
         looked for at the end. A blind tunnel has the same TLS on both legs, reads the head and \
         answers it, and copies bytes from then on.\n\
         - {rounds} rounds of a case, in each of them every proxy in turn for {slice:?}; of the idle \
         cases {long_rounds} with {idle} sockets; 5000 sockets of one proxy after the other. CPU time is that of the proxy's process, from rest \
         to rest. Figures are medians; ratios are medians of those of each round.\n\
         - The ends compare every byte of what arrives with what was sent.\n"
    )
}
