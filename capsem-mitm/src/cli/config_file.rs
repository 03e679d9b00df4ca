//! The configuration file: TOML in, a [`Config`] or the place of its fault out. Refuses to know
//! what a proxy does with it.

mod credential;
mod error;

pub(crate) use self::error::{ConfigError, Problem};

use self::credential::credentials;
use super::text_file;
use crate::{
    authority::Authority,
    config::{Config, JsonlTarget, Limits, Pin},
};
use capsem_policy::document::{Document, Item, Place, Table, escape};
use capsem_telemetry::Mode;
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

/// Where the authority is kept when nothing else is said.
pub(crate) const DEFAULT_CA_DIR: &str = "~/.local/share/capsem-mitm/ca";

/// Whether the file must name a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listener {
    /// It must: the program listens where the file says.
    Required,
    /// The program listens elsewhere.
    Ignored,
}

/// Reads a configuration file. Paths in it are relative to its folder; `~/` is the home folder.
pub(crate) fn load(path: &Path, listener: Listener) -> Result<Config, ConfigError> {
    let text = text_file::read(path)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let paths = Paths { folder: folder.into(), home: std::env::home_dir() };
    parse(&text, &path.display().to_string(), &paths, listener)
}

/// The folder of the authority when no configuration names one.
pub(crate) fn default_ca_dir() -> Option<PathBuf> {
    Paths { folder: PathBuf::new(), home: std::env::home_dir() }.resolve(DEFAULT_CA_DIR)
}

/// What paths of the file are relative to.
#[derive(Clone, Debug)]
pub(crate) struct Paths {
    pub(crate) folder: PathBuf,
    pub(crate) home: Option<PathBuf>,
}

impl Paths {
    /// `None` when there is no home folder to put in place of `~/`.
    fn resolve(&self, text: &str) -> Option<PathBuf> {
        match text.strip_prefix("~/") {
            Some(rest) => self.home.as_ref().map(|home| home.join(rest)),
            None => Some(self.folder.join(text)),
        }
    }
}

/// Reads a configuration; `file` is the name that errors give.
pub(crate) fn parse(
    text: &str,
    file: &str,
    paths: &Paths,
    listener: Listener,
) -> Result<Config, ConfigError> {
    let document = Document::parse(text, file)?;
    let root = document.root();
    root.only(&["listen", "ca", "upstream", "policy", "credential", "telemetry", "limits"])?;

    let mut config = Config::new(ca_dir(&root, paths)?);
    if let Some(item) = root.get("listen") {
        listen(&item.table()?, &mut config)?;
    }
    let listens = config.listen.proxy.is_some() || config.listen.transparent.is_some();
    if listener == Listener::Required && !listens {
        let place = root.get("listen").map_or_else(|| root.place(), |item| item.key_place());
        return Err(ConfigError::invalid(place, Problem::NoListener));
    }
    if let Some(item) = root.get("upstream") {
        upstream(&item.table()?, &mut config, paths)?;
    }
    if let Some(item) = root.get("policy") {
        policy(&item.table()?, &mut config, paths)?;
    }
    if let Some(item) = root.get("credential") {
        config.credentials = credentials(&item.tables()?, paths)?;
    }
    if let Some(item) = root.get("telemetry") {
        telemetry(&item.table()?, &mut config, paths)?;
    }
    if let Some(item) = root.get("limits") {
        limits(&item.table()?, &mut config.limits)?;
    }
    Ok(config)
}

fn listen(table: &Table<'_>, config: &mut Config) -> Result<(), ConfigError> {
    table.only(&["proxy", "transparent"])?;
    config.listen.proxy = table.get("proxy").map(|item| address(&item)).transpose()?;
    config.listen.transparent = table.get("transparent").map(|item| address(&item)).transpose()?;
    Ok(())
}

fn ca_dir(root: &Table<'_>, paths: &Paths) -> Result<PathBuf, ConfigError> {
    let (place, found) = match root.get("ca") {
        Some(item) => {
            let table = item.table()?;
            table.only(&["dir"])?;
            (item.key_place(), table.get("dir"))
        }
        None => (root.place(), None),
    };
    match found {
        Some(item) => path(&item, paths),
        None => default_path(place, paths),
    }
}

fn default_path(place: Place, paths: &Paths) -> Result<PathBuf, ConfigError> {
    let found = paths.resolve(DEFAULT_CA_DIR);
    found.ok_or_else(|| ConfigError::invalid(place, Problem::NoHome("ca.dir")))
}

fn upstream(table: &Table<'_>, config: &mut Config, paths: &Paths) -> Result<(), ConfigError> {
    table.only(&["extra_roots", "connect_ports", "resolve"])?;
    if let Some(item) = table.get("extra_roots") {
        let roots = item.list()?;
        config.upstream.extra_roots =
            roots.iter().map(|item| path(item, paths)).collect::<Result<_, _>>()?;
    }
    if let Some(item) = table.get("connect_ports") {
        let ports = item.list()?;
        config.upstream.connect_ports = ports.iter().map(port).collect::<Result<_, _>>()?;
    }
    if let Some(item) = table.get("resolve") {
        for item in item.table()?.entries() {
            let pin = pin(&item)?;
            if config.upstream.resolve.iter().any(|other| other.authority == pin.authority) {
                let problem = Problem::PinnedTwice(pin.authority.to_string());
                return Err(ConfigError::invalid(item.key_place(), problem));
            }
            config.upstream.resolve.push(pin);
        }
    }
    Ok(())
}

fn policy(table: &Table<'_>, config: &mut Config, paths: &Paths) -> Result<(), ConfigError> {
    table.only(&["file", "asker", "ask_timeout"])?;
    if let Some(item) = table.get("asker") {
        let words = item.list()?;
        config.asker =
            words.iter().map(|word| word.string().map(str::to_owned)).collect::<Result<_, _>>()?;
        if config.asker.first().is_none_or(String::is_empty) {
            return Err(ConfigError::invalid(item.place(), Problem::Asker));
        }
    }
    time(table, "ask_timeout", &mut config.ask_timeout, Zero::Refused)?;
    config.policy_file = table.get("file").map(|item| path(&item, paths)).transpose()?;
    Ok(())
}

fn telemetry(table: &Table<'_>, config: &mut Config, paths: &Paths) -> Result<(), ConfigError> {
    table.only(&["ledger", "jsonl", "otlp", "mode", "capture_bodies"])?;
    config.telemetry.ledger = table.get("ledger").map(|item| path(&item, paths)).transpose()?;
    if let Some(item) = table.get("jsonl") {
        config.telemetry.jsonl = Some(match item.string()? {
            "-" => JsonlTarget::Stdout,
            _ => JsonlTarget::File(path(&item, paths)?),
        });
    }
    if let Some(item) = table.get("otlp") {
        otlp(&item, config)?;
    }
    if let Some(item) = table.get("mode") {
        config.telemetry.mode = match item.string()? {
            "closed" => Mode::Closed,
            "open" => Mode::Open,
            other => return Err(ConfigError::invalid(item.place(), Problem::Mode(escape(other)))),
        };
    }
    if let Some(item) = table.get("capture_bodies") {
        config.telemetry.capture_bodies = item.boolean()?;
    }
    Ok(())
}

#[cfg(feature = "otlp")]
fn otlp(item: &Item<'_>, config: &mut Config) -> Result<(), ConfigError> {
    let endpoint = item.string()?.parse();
    let invalid = |error| ConfigError::invalid(item.place(), Problem::Collector(error));
    config.telemetry.otlp = Some(endpoint.map_err(invalid)?);
    Ok(())
}

/// Refuses what this build has not: reading on without it would lose what is asked for in silence.
#[cfg(not(feature = "otlp"))]
fn otlp(item: &Item<'_>, _: &mut Config) -> Result<(), ConfigError> {
    Err(ConfigError::invalid(item.key_place(), Problem::NotBuiltIn("telemetry.otlp", "otlp")))
}

fn limits(table: &Table<'_>, limits: &mut Limits) -> Result<(), ConfigError> {
    table.only(&[
        "head",
        "frame",
        "message",
        "fragments",
        "inflate",
        "capture",
        "connections",
        "tls_timeout",
        "head_timeout",
        "connect_timeout",
        "handshake_timeout",
        "response_timeout",
        "stall_timeout",
        "idle_timeout",
        "close_timeout",
        "drain_timeout",
    ])?;
    size(table, "head", &mut limits.head, 1024..=16 << 20)?;
    size(table, "frame", &mut limits.frame, 1..=i64::MAX)?;
    size(table, "message", &mut limits.message, 1..=i64::MAX)?;
    size(table, "fragments", &mut limits.fragments, 1..=i64::from(u32::MAX))?;
    size(table, "inflate", &mut limits.inflate, 1..=i64::MAX)?;
    size(table, "capture", &mut limits.capture, 0..=1 << 30)?;
    size(table, "connections", &mut limits.connections, 1..=1 << 20)?;
    time(table, "tls_timeout", &mut limits.tls_timeout, Zero::Refused)?;
    time(table, "head_timeout", &mut limits.head_timeout, Zero::Refused)?;
    time(table, "connect_timeout", &mut limits.connect_timeout, Zero::Refused)?;
    time(table, "handshake_timeout", &mut limits.handshake_timeout, Zero::Refused)?;
    time(table, "response_timeout", &mut limits.response_timeout, Zero::Refused)?;
    time(table, "stall_timeout", &mut limits.stall_timeout, Zero::Refused)?;
    time(table, "idle_timeout", &mut limits.idle_timeout, Zero::Accepted)?;
    time(table, "close_timeout", &mut limits.close_timeout, Zero::Refused)?;
    time(table, "drain_timeout", &mut limits.drain_timeout, Zero::Accepted)
}

fn path(item: &Item<'_>, paths: &Paths) -> Result<PathBuf, ConfigError> {
    let text = item.string()?;
    if text.is_empty() {
        return Err(ConfigError::invalid(item.place(), Problem::EmptyPath));
    }
    let found = paths.resolve(text);
    found.ok_or_else(|| ConfigError::invalid(item.place(), Problem::NoHome("this path")))
}

fn address(item: &Item<'_>) -> Result<SocketAddr, ConfigError> {
    let text = item.string()?;
    text.parse().map_err(|_| ConfigError::invalid(item.place(), Problem::Address(escape(text))))
}

fn port(item: &Item<'_>) -> Result<u16, ConfigError> {
    let number = item.integer()?;
    match u16::try_from(number) {
        Ok(port) if port > 0 => Ok(port),
        _ => Err(ConfigError::invalid(item.place(), Problem::Port(number))),
    }
}

fn pin(item: &Item<'_>) -> Result<Pin, ConfigError> {
    let invalid = |problem| ConfigError::invalid(item.key_place(), problem);
    // Port 0 stands for a port that was left out; no text can name it.
    let authority = Authority::parse(item.key(), 0)
        .map_err(|error| invalid(Problem::Authority(escape(item.key()), error)))?;
    if authority.port == 0 {
        return Err(invalid(Problem::AuthorityWithoutPort(escape(item.key()))));
    }
    let address = address(item)?;
    if address.port() == 0 {
        return Err(ConfigError::invalid(item.place(), Problem::Port(0)));
    }
    Ok(Pin { authority, address })
}

fn size<T: TryFrom<i64>>(
    table: &Table<'_>,
    key: &'static str,
    limit: &mut T,
    range: std::ops::RangeInclusive<i64>,
) -> Result<(), ConfigError> {
    let Some(item) = table.get(key) else { return Ok(()) };
    let number = item.integer()?;
    let found = T::try_from(number).ok().filter(|_| range.contains(&number));
    let (least, most) = range.into_inner();
    *limit = found.ok_or_else(|| {
        ConfigError::invalid(item.place(), Problem::Size { key, number, least, most })
    })?;
    Ok(())
}

/// Whether a time of zero means something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Zero {
    /// It does: no limit, or no waiting.
    Accepted,
    /// It does not: everything would be late at once.
    Refused,
}

fn time(
    table: &Table<'_>,
    key: &'static str,
    limit: &mut Duration,
    zero: Zero,
) -> Result<(), ConfigError> {
    let Some(item) = table.get(key) else { return Ok(()) };
    let text = item.string()?;
    let invalid = |problem| ConfigError::invalid(item.place(), problem);
    let found = duration(text).ok_or_else(|| invalid(Problem::Duration(key, escape(text))))?;
    if found.is_zero() && zero == Zero::Refused {
        return Err(invalid(Problem::ZeroDuration(key)));
    }
    *limit = found;
    Ok(())
}

/// `500ms`, `10s`, `2m`, `1h`; at most a year.
fn duration(text: &str) -> Option<Duration> {
    const YEAR: u64 = 366 * 24 * 3600 * 1000;
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let unit: u64 = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60 * 1000,
        "h" => 3600 * 1000,
        _ => return None,
    };
    let milliseconds = number.parse::<u64>().ok()?.checked_mul(unit)?;
    (milliseconds <= YEAR).then(|| Duration::from_millis(milliseconds))
}

#[cfg(test)]
mod tests;
