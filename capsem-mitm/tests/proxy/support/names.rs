//! A scripted resolver that counts.

use capsem_mitm::{Resolve, Resolving, Services};
use std::{
    io,
    net::IpAddr,
    sync::{Arc, Mutex},
};

/// What every name resolves to, and which were asked for.
#[derive(Clone, Default)]
pub(crate) struct Names(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    addresses: Vec<IpAddr>,
    asked: Vec<String>,
}

impl Names {
    /// Every name is at these addresses from now on; at none, there is no such name.
    pub(crate) fn are_at(&self, addresses: &[&str]) {
        self.0.lock().unwrap().addresses =
            addresses.iter().map(|text| text.parse().expect("an address")).collect();
    }

    /// The names that were looked up so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.0.lock().unwrap().asked.clone()
    }

    /// Services of which this is the resolver.
    pub(crate) fn services(&self) -> Services {
        let mut services = Services::default();
        services.resolver = Box::new(self.clone());
        services
    }
}

impl Resolve for Names {
    fn resolve<'a>(&'a self, host: &'a str) -> Resolving<'a> {
        let mut state = self.0.lock().unwrap();
        state.asked.push(host.to_owned());
        let found = state.addresses.clone();
        Box::pin(async move {
            if found.is_empty() {
                return Err(io::Error::other("no such name"));
            }
            Ok(found)
        })
    }
}
