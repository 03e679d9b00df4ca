//! The process behind a connection from this machine, as the kernel tells it: the file name of its
//! executable. Refuses to guess: a socket that programs of two names hold has none.
//!
//! It tells programs apart, and holds nobody back: who may run a program may run a copy of another
//! name.

use crate::Processes;
use std::net::SocketAddr;

/// The processes of this machine.
pub(crate) struct Local;

#[cfg(target_os = "linux")]
impl Processes for Local {
    fn name(&self, client: SocketAddr, proxy: SocketAddr) -> Option<String> {
        let socket = linux::socket(client, proxy)?;
        linux::holder(socket)
    }
}

#[cfg(not(target_os = "linux"))]
impl Processes for Local {
    fn name(&self, _: SocketAddr, _: SocketAddr) -> Option<String> {
        None
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use procfs::{
        net::{TcpNetEntry, tcp, tcp6},
        process::{FDTarget, Process, all_processes},
    };
    use std::net::{IpAddr, SocketAddr};

    /// The inode of the socket at one end of a connection, if that end is on this machine.
    pub(super) fn socket(at: SocketAddr, connected_to: SocketAddr) -> Option<u64> {
        let ends = (plain(at), plain(connected_to));
        let is_it = |entry: &TcpNetEntry| {
            entry.inode != 0 && (plain(entry.local_address), plain(entry.remote_address)) == ends
        };
        let v4 = tcp().ok().and_then(|entries| entries.into_iter().find(is_it));
        let v6 = || tcp6().ok().and_then(|entries| entries.into_iter().find(is_it));
        v4.or_else(v6).map(|entry| entry.inode)
    }

    /// An address without its IPv6 form, if it is one of IPv4.
    fn plain(address: SocketAddr) -> (IpAddr, u16) {
        (address.ip().to_canonical(), address.port())
    }

    /// The one name of the programs that hold a socket.
    pub(super) fn holder(socket: u64) -> Option<String> {
        let holds = |process: &Process| {
            let mut held = process.fd().into_iter().flatten().flatten();
            held.any(|fd| matches!(fd.target, FDTarget::Socket(inode) if inode == socket))
        };
        let holders = all_processes().ok()?.flatten().filter(holds);
        let mut names = holders.map(|process| name(&process));
        let first = names.next()??;
        names.all(|name| name.as_ref() == Some(&first)).then_some(first)
    }

    fn name(process: &Process) -> Option<String> {
        /// What the kernel adds to the path of a file that is gone.
        const GONE: &str = " (deleted)";
        let path = process.exe().ok()?;
        let name = path.file_name()?.to_str()?;
        Some(name.strip_suffix(GONE).unwrap_or(name).to_owned())
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn a_socket_of_this_process_is_its_own() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let listener = TcpListener::bind(address).unwrap();
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (accepted, peer) = listener.accept().unwrap();
            let exe = std::env::current_exe().unwrap();
            let own = exe.file_name().unwrap().to_str().unwrap();
            let name = Local.name(peer, accepted.local_addr().unwrap());
            assert_eq!(name.as_deref(), Some(own), "{address}");
            drop(client);
        }
    }

    #[test]
    fn who_is_elsewhere_has_no_name() {
        let [near, far] = ["127.0.0.1:9", "192.0.2.1:9"].map(|it| it.parse().unwrap());
        assert_eq!(Local.name(far, near), None);
    }
}
