//! What the program says of a panic: where it was, and nothing of its message, which is made of
//! whatever was at hand and may hold a secret.

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    io::Write as _,
    panic::{self, PanicHookInfo},
    thread,
};

/// From here on a panic is told this way.
pub(crate) fn install() {
    panic::set_hook(Box::new(tell));
}

fn tell(info: &PanicHookInfo<'_>) {
    let thread = thread::current();
    let thread = thread.name().unwrap_or("unnamed");
    let place = info.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    let trace = Backtrace::capture();
    let trace = match trace.status() {
        BacktraceStatus::Captured => format!("\n{trace}"),
        _ => String::new(),
    };
    // Nobody may be listening, and a panic here would end the process.
    let _ = writeln!(
        std::io::stderr(),
        "capsem-mitm: a fault of the program's own at {place}, thread {thread}; its message may \
         hold a secret and is left out{trace}"
    );
}

#[cfg(test)]
mod tests;
