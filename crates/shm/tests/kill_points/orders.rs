//! Who dies where, at which pass, in the middle of which traffic.

use std::fmt;

use crate::common::link::Role;

/// What goes on when the victim dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Traffic {
    /// The survivor sends some messages and waits for as many, on and on: both sides sleep and are rung.
    Echo,
    /// The victim sends as fast as it can.
    Flood,
    /// The survivor sends as fast as it can: it may be waiting for room.
    Sink,
    /// One message there and back, and a new connection, on and on.
    Reconnect,
}

/// One death.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Order {
    pub(crate) point: &'static str,
    /// `None`: when a lane wraps.
    pub(crate) pass: Option<u64>,
    /// The victim's.
    pub(crate) role: Role,
    pub(crate) traffic: Traffic,
}

impl fmt::Display for Order {
    /// What `EIPC_KILL` takes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pass {
            Some(pass) => write!(f, "{}:{pass}", self.point),
            None => write!(f, "{}:wrap", self.point),
        }
    }
}

impl Order {
    /// How many messages of the victim arrive, where its passes say so: each that was published, and none that was not.
    pub(crate) fn arrivals(&self) -> Option<u64> {
        match self.point {
            "p-published" => self.pass,
            "p-reserved" | "p-mid-copy" | "p-copied" => self.pass.map(|pass| pass - 1),
            _ => None,
        }
    }
}

const PASSES: [Option<u64>; 4] = [Some(1), Some(2), Some(100), None];
const PRODUCER: [&str; 5] = ["p-before-reserve", "p-reserved", "p-mid-copy", "p-copied", "p-published"];
const CONSUMER: [&str; 4] = ["c-before-read", "c-mid-copy", "c-copied", "c-released"];
/// Each belongs to the role that passes it.
const HAND_OVER: [(&str, Role); 3] =
    [("s-made", Role::Server), ("s-sent", Role::Server), ("s-mapped-one", Role::Client)];

/// Returns every death of a round; the traffic changes from round to round.
pub(crate) fn of_round(round: u64) -> Vec<Order> {
    let turn = |kinds: [Traffic; 2]| kinds[round as usize % 2];
    let ring = [("p-rung", turn([Traffic::Echo, Traffic::Sink]))];
    let producer = PRODUCER.map(|point| (point, turn([Traffic::Echo, Traffic::Flood])));
    let consumer = CONSUMER.map(|point| (point, turn([Traffic::Echo, Traffic::Sink])));
    let mut orders = Vec::new();
    for (point, traffic) in producer.into_iter().chain(ring).chain(consumer) {
        for pass in PASSES {
            for role in [Role::Client, Role::Server] {
                orders.push(Order { point, pass, role, traffic });
            }
        }
    }
    for (point, role) in HAND_OVER {
        for pass in PASSES.into_iter().filter(Option::is_some) {
            orders.push(Order { point, pass, role, traffic: Traffic::Reconnect });
        }
    }
    orders
}
