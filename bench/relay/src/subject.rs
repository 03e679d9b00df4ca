//! A proxy in a case: sockets through it, and one round of what the case does with them.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::stream::{self, FuturesUnordered, StreamExt as _, TryStreamExt as _};

use crate::case::{Case, Kind, Per};
use crate::cpu;
use crate::ends::{Ends, Pair};
use crate::proxies::{Proxy, Site};
use crate::script::Script;
use crate::talk;

/// Sockets that talk at once, at most.
const BUSY: usize = 64;
/// Sockets that are opened at once where opening is what is measured.
const OPENING: usize = 4;
/// Sockets before the first one counts: what a proxy makes once is made.
const WARM: usize = 20;

/// A figure of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    Throughput,
    CpuPerGib,
    CpuPerMillionMessages,
    CpuPerHandshake,
    LatencyP50,
    LatencyP99,
    RssPerConnection,
}

/// What one round of one proxy gave.
pub struct Round {
    /// Figures, each in the unit of its metric.
    pub figures: Vec<(Metric, f64)>,
    /// How long it took.
    pub wall: Duration,
}

/// What a subject needs besides itself.
pub struct Run<'a> {
    /// The server, and what opens sockets.
    pub ends: &'a Ends,
    /// Where and how proxies run.
    pub site: &'a Site,
    /// Sockets of the idle cases.
    pub idle: usize,
}

/// A proxy in a case.
pub struct Subject<'a> {
    run: &'a Run<'a>,
    proxy: &'a Proxy,
    case: &'a Case,
    script: &'a Script,
    pairs: Vec<Pair>,
}

impl<'a> Subject<'a> {
    /// Opens what the case needs.
    pub async fn open(
        run: &'a Run<'a>,
        proxy: &'a Proxy,
        case: &'a Case,
        script: &'a Script,
    ) -> Result<Self> {
        let sockets = match case.kind {
            Kind::Echo(sockets) => sockets,
            Kind::Latency | Kind::Stream { responses: false, .. } => 1,
            Kind::Stream { .. } | Kind::Handshakes | Kind::Idle { .. } => 0,
        };
        let pairs = run.ends.open_many(&proxy.door, case.purpose(), sockets).await?;
        Ok(Self { run, proxy, case, script, pairs })
    }

    /// Does it `amount` times.
    pub async fn round(&mut self, amount: usize) -> Result<Round> {
        match self.case.kind {
            Kind::Stream { per, responses, .. } => self.stream(amount, per, responses).await,
            Kind::Echo(_) => self.echo(amount).await,
            Kind::Latency => self.latency(amount).await,
            Kind::Handshakes => self.handshakes(amount).await,
            Kind::Idle { .. } => self.idle().await,
        }
    }

    async fn stream(&mut self, turns: usize, per: Per, responses: bool) -> Result<Round> {
        if responses {
            // Opened before the clock runs, and all that the last round left is gone.
            self.pairs.clear();
            let (door, sockets) = (&self.proxy.door, turns.div_ceil(self.script.turns()));
            for _ in 0..sockets {
                self.pairs.push(self.run.ends.open(door, self.case.purpose()).await?);
            }
            self.proxy.add_responses(turns as u64);
        }
        let (script, mut left) = (self.script, turns);
        let each = if responses { script.turns() } else { turns };
        let pairs = &mut self.pairs;
        let talk = async {
            for pair in pairs {
                let now = left.min(each);
                talk::pipelined(pair, script, now).await?;
                left -= now;
            }
            anyhow::Ok(())
        };
        let ((), spent) = self.proxy.timed(talk).await?;
        let (messages, bytes) = self.script.size(turns);
        let gib = bytes as f64 / f64::from(1 << 30);
        let (cpu, wall) = (spent.cpu.as_secs_f64(), spent.wall.as_secs_f64());
        let figures = match per {
            Per::Gib => vec![(Metric::CpuPerGib, cpu / gib), (Metric::Throughput, gib / wall)],
            Per::MillionMessages => {
                vec![(Metric::CpuPerMillionMessages, cpu / messages as f64 * 1e6)]
            }
        };
        Ok(Round { figures, wall: spent.wall })
    }

    async fn echo(&mut self, turns: usize) -> Result<Round> {
        let script = self.script;
        let sockets = self.pairs.len();
        let (clients, servers): (Vec<_>, Vec<_>) =
            self.pairs.iter_mut().map(|pair| (&mut pair.client, &mut pair.server)).unzip();
        let lanes = sockets.min(BUSY);
        let mut lane: Vec<Vec<_>> = (0..lanes).map(|_| Vec::new()).collect();
        for (number, client) in clients.into_iter().enumerate() {
            lane[number % lanes].push(client);
        }
        let ask = lane.into_iter().map(|clients| async move {
            let mut clients = clients;
            for _ in 0..turns {
                for client in &mut clients {
                    talk::in_turn(client, script, 1).await?;
                }
            }
            anyhow::Ok(())
        });
        let ask: FuturesUnordered<_> = ask.collect();
        let serve = servers.into_iter().map(|server| talk::serve(server, script, turns));
        let serve: FuturesUnordered<_> = serve.collect();
        let talk = async { tokio::try_join!(ask.try_collect::<()>(), serve.try_collect::<()>()) };
        let (_, spent) = self.proxy.timed(talk).await?;
        let trips = (sockets * turns) as f64;
        let cpu = spent.cpu.as_secs_f64() / trips * 1e6;
        Ok(Round { figures: vec![(Metric::CpuPerMillionMessages, cpu)], wall: spent.wall })
    }

    async fn latency(&mut self, trips: usize) -> Result<Round> {
        let Pair { client, server } = self.pairs.first_mut().context("no socket")?;
        let script = self.script;
        let (cpus, id) = (self.run.site.cpus, self.proxy.id());
        cpu::move_to(id, cpus.ends)?;
        let ask = async {
            let mut took = Vec::with_capacity(trips);
            for _ in 0..trips {
                let began = Instant::now();
                talk::in_turn(client, script, 1).await?;
                took.push(began.elapsed());
            }
            anyhow::Ok(took)
        };
        let talk = async { tokio::try_join!(ask, talk::serve(server, script, trips)) };
        let talked = self.proxy.timed(talk).await;
        cpu::move_to(id, cpus.proxy)?;
        let ((mut took, ()), spent) = talked?;
        took.sort_unstable();
        let micros = |part: usize| took[took.len() * part / 100].as_secs_f64() * 1e6;
        let figures = vec![(Metric::LatencyP50, micros(50)), (Metric::LatencyP99, micros(99))];
        Ok(Round { figures, wall: spent.wall })
    }

    async fn handshakes(&mut self, sockets: usize) -> Result<Round> {
        let purpose = self.case.purpose();
        // Opened and closed by turns, since the server's end of a socket may be another client's.
        let round = async {
            let mut left = sockets;
            while left > 0 {
                let some = left.min(OPENING);
                left -= some;
                let open = (0..some).map(|_| self.run.ends.open(&self.proxy.door, purpose));
                let pairs: Vec<Pair> =
                    stream::iter(open).buffer_unordered(OPENING).try_collect().await?;
                let close: FuturesUnordered<_> = pairs.into_iter().map(Pair::close).collect();
                close.try_collect::<()>().await?;
            }
            anyhow::Ok(())
        };
        let ((), spent) = self.proxy.timed(round).await?;
        let cpu = spent.cpu.as_secs_f64() / sockets as f64 * 1e3;
        let rate = sockets as f64 / spent.wall.as_secs_f64();
        let figures = vec![(Metric::CpuPerHandshake, cpu), (Metric::Throughput, rate)];
        Ok(Round { figures, wall: spent.wall })
    }

    /// In a proxy of its own, whose memory nothing else has been in.
    async fn idle(&mut self) -> Result<Round> {
        let began = Instant::now();
        let proxy = Proxy::start(self.proxy.entry, self.run.site)?;
        let purpose = self.case.purpose();
        let mut warm = self.run.ends.open_many(&proxy.door, purpose, WARM).await?;
        self.say_once(&mut warm).await?;
        proxy.settle().await?;
        let before = cpu::resident(proxy.id())?;
        let mut pairs = self.run.ends.open_many(&proxy.door, purpose, self.run.idle).await?;
        let agreed = pairs.iter().all(|pair| pair.client.deflate == purpose.deflate);
        ensure!(agreed, "it does not agree on permessage-deflate");
        self.say_once(&mut pairs).await?;
        proxy.settle().await?;
        let more = cpu::resident(proxy.id())?.saturating_sub(before);
        let each = more as f64 / 1024.0 / self.run.idle as f64;
        Ok(Round { figures: vec![(Metric::RssPerConnection, each)], wall: began.elapsed() })
    }

    /// Says the script's one turn on each socket, one after the other.
    async fn say_once(&self, pairs: &mut [Pair]) -> Result<()> {
        if matches!(self.case.kind, Kind::Idle { said: Some(_), .. }) {
            // Any client may be joined with any server, so all servers listen.
            let (clients, servers): (Vec<_>, Vec<_>) =
                pairs.iter_mut().map(|pair| (&mut pair.client, &mut pair.server)).unzip();
            let serve: FuturesUnordered<_> =
                servers.into_iter().map(|server| talk::serve(server, self.script, 1)).collect();
            let ask = async {
                for client in clients {
                    talk::in_turn(client, self.script, 1).await?;
                }
                anyhow::Ok(())
            };
            tokio::try_join!(ask, serve.try_collect::<()>())?;
        }
        Ok(())
    }
}
