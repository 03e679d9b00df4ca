//! The attacks: what an attacker says, how many there are at once, and what the proxy may spend.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use anyhow::Result;

use super::site::Site;
use super::{floods, frames, heads};

type Played = Pin<Box<dyn Future<Output = Result<u64>> + Send>>;

/// One way to hurt a proxy.
pub(super) struct Attack {
    pub(super) name: &'static str,
    /// Attackers at once, each on its own connection or, one after the other, on many.
    pub(super) attackers: u32,
    /// What one of them does; the bytes it had to send.
    pub(super) play: fn(Arc<Site>, u32) -> Played,
    /// The fault that each of them is recorded with.
    pub(super) fault: Option<&'static str>,
    /// Memory it may cost at its worst moment, in KiB.
    pub(super) memory: u64,
    /// CPU time it may cost, in ms, beside that of relaying what was sent.
    pub(super) cpu: u64,
    /// Descriptors the proxy may have; none if as many as the machine gives it.
    pub(super) descriptors: Option<u64>,
}

/// Every attack. Memory is a MiB an attacker, and what a row says beside that; CPU is some four times
/// what two busy cores take, as the bar is against what grows and not against a slow day.
pub(super) fn all() -> Vec<Attack> {
    vec![
        keeping(plain(
            "deflate bomb, 300 MiB in 300 KiB",
            4,
            1000,
            Some("inflate_limit"),
            |site, _| Box::pin(async move { frames::bomb(&site).await }),
        )),
        plain("a message of 1-byte fragments", 16, 400, Some("fragment_limit"), |site, _| {
            Box::pin(async move { frames::fragments(&site).await })
        }),
        plain("100 000 frames of no length", 4, 3000, None, |site, _| {
            Box::pin(async move { frames::empty(&site).await })
        }),
        plain("pings, and the pongs not read", 16, 800, Some("stall"), |site, _| {
            Box::pin(async move { frames::pings(&site).await })
        }),
        plain("echoes of 256 KiB not read", 16, 800, Some("stall"), |site, _| {
            Box::pin(async move { frames::deaf(&site).await })
        }),
        plain("a frame of 2^40 bytes announced", 16, 200, Some("frame_limit"), |site, _| {
            Box::pin(async move { frames::announced(&site).await })
        }),
        plain("a frame of 20 MiB begun, then silence", 16, 300, Some("stall"), |site, _| {
            Box::pin(async move { frames::begun(&site).await })
        }),
        keeping(plain("JSON of 500 000 brackets to a model", 4, 600, None, |site, _| {
            Box::pin(async move { frames::brackets(&site).await })
        })),
        plain("a head of 20 MB", 16, 800, Some("head"), |site, _| {
            Box::pin(async move { heads::giant(&site).await })
        }),
        plain("a head of 10 000 fields", 16, 200, Some("head"), |site, _| {
            Box::pin(async move { heads::fields(&site).await })
        }),
        begun(plain("heads, a byte at a time", 200, 800, Some("head_timeout"), |site, _| {
            Box::pin(async move { heads::slow(&site).await })
        })),
        plain("2000 pipelined requests", 4, 6000, None, |site, _| {
            Box::pin(async move { heads::pipelined(&site).await })
        }),
        plain("a body of 100 000 chunks of a byte", 4, 200, None, |site, _| {
            Box::pin(async move { heads::chunks(&site).await })
        }),
        begun(plain("1000 silent sockets", 1000, 800, Some("tls_timeout"), |site, _| {
            Box::pin(async move { floods::silent(&site).await })
        })),
        begun(plain("500 halves of a ClientHello", 500, 800, Some("tls_timeout"), |site, lane| {
            Box::pin(async move { floods::half_hello(&site, lane).await })
        })),
        Attack {
            // The cache of 1024 leaves and what the handshakes leave behind (row 32).
            memory: 16 * 1024,
            ..plain("ClientHellos of 4000 names", 8, 7000, None, |site, lane| {
                Box::pin(async move { floods::names(&site, lane, 500).await })
            })
        },
        begun(plain("500 CONNECTs, then silence", 500, 800, Some("tls_timeout"), |site, _| {
            Box::pin(async move { floods::connects(&site).await })
        })),
        begun(plain(
            "300 connections past the limit of 1100",
            1400,
            2000,
            Some("tls_timeout"),
            |site, lane| Box::pin(async move { floods::half_hello(&site, lane).await }),
        )),
        Attack {
            descriptors: Some(128),
            ..begun(plain(
                "300 sockets for 128 descriptors",
                300,
                900,
                Some("tls_timeout"),
                |site, lane| Box::pin(async move { floods::half_hello(&site, lane).await }),
            ))
        },
    ]
}

fn plain(
    name: &'static str,
    attackers: u32,
    cpu: u64,
    fault: Option<&'static str>,
    play: fn(Arc<Site>, u32) -> Played,
) -> Attack {
    let memory = 1024 * u64::from(attackers);
    Attack { name, attackers, play, fault, memory, cpu, descriptors: None }
}

/// Who never gets past the first bytes costs less than a MiB.
fn begun(mut attack: Attack) -> Attack {
    attack.memory = u64::from(attack.attackers) * 64;
    attack
}

/// Of a message up to `limits.capture` is kept for evidence, once a connection.
fn keeping(mut attack: Attack) -> Attack {
    attack.memory = u64::from(attack.attackers) * (1 + 10) * 1024;
    attack
}
