//! What `make crash` prints.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use crate::common::link::Role;
use crate::orders::Order;

/// Kills by point, and how long the survivor took to know.
#[derive(Default)]
pub(crate) struct Report {
    /// Of clients and of servers.
    kills: BTreeMap<&'static str, [u64; 2]>,
    latencies: Vec<Duration>,
}

impl Report {
    pub(crate) fn add(&mut self, order: &Order, latency: Duration) {
        self.kills.entry(order.point).or_default()[usize::from(order.role == Role::Server)] += 1;
        self.latencies.push(latency);
    }

    pub(crate) fn print(mut self) {
        println!("{:<18} {:>8} {:>8}", "point", "clients", "servers");
        for (point, [clients, servers]) in &self.kills {
            println!("{point:<18} {clients:>8} {servers:>8}");
        }
        self.latencies.sort();
        let count = self.latencies.len();
        let percentile = |hundredths: usize| self.latencies[(count * hundredths / 100).min(count - 1)];
        let load = fs::read_to_string("/proc/loadavg").unwrap();
        println!("{count} kills; nothing corrupt, forged, doubled or lost, nothing left behind");
        println!(
            "death to its news: p50 {:?}, p99 {:?}, max {:?} (load average {})",
            percentile(50),
            percentile(99),
            self.latencies[count - 1],
            load.split(' ').next().unwrap_or_default()
        );
    }
}
