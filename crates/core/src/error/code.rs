//! THE error table: variant ↔ "EIPC_…" ↔ C integer ↔ class ↔ retryable ↔ sentence.
//!
//! Everything that names an error (the TypeScript classes, `eipc.h`, `docs/errors.md`) is generated from
//! or compared with this table. Values and names are stable: a row may be added, never renumbered.

macro_rules! table {
    ($($variant:ident $name:literal $value:literal $class:ident $retryable:literal $sentence:literal;)+) => {
        /// What kind of failure an [`Error`](super::Error) is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(i32)]
        #[non_exhaustive]
        pub enum Code {
            $(#[doc = $sentence] $variant = $value,)+
        }

        impl Code {
            /// Every code, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Returns the stable name, `EIPC_…`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// Returns the stable C integer.
            #[must_use]
            pub const fn value(self) -> i32 {
                match self { $(Self::$variant => $value,)+ }
            }

            /// Finds a code by its C integer.
            #[must_use]
            pub const fn from_value(value: i32) -> Option<Self> {
                match value { $($value => Some(Self::$variant),)+ _ => None }
            }

            /// Finds a code by its name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)+ _ => None }
            }

            /// Returns the class users catch.
            #[must_use]
            pub const fn class(self) -> Class {
                match self { $(Self::$variant => Class::$class,)+ }
            }

            /// Tells whether the same call may succeed later without any other change.
            #[must_use]
            pub const fn is_retryable(self) -> bool {
                match self { $(Self::$variant => $retryable,)+ }
            }

            /// Returns what happened and what to do next, as one sentence for users.
            #[must_use]
            pub const fn sentence(self) -> &'static str {
                match self { $(Self::$variant => $sentence,)+ }
            }
        }
    };
}

table! {
    // Protocol: the bytes do not follow docs/wire.md.
    FrameTooLarge "EIPC_FRAME_TOO_LARGE" 101 ProtocolError false
        "A frame is larger than this connection allows; check that both ends speak EIPC and agree on max_frame.";
    Truncated "EIPC_FRAME_TRUNCATED" 102 ProtocolError false
        "A frame is shorter than its own lengths say; the peer or something between is broken, reconnect.";
    BadMagic "EIPC_BAD_MAGIC" 103 ProtocolError false
        "The bytes do not begin with EIPC; check the address, another protocol is spoken there.";
    BadVersion "EIPC_BAD_VERSION" 104 ProtocolError false
        "The peer speaks another protocol version; configure the same protocol at both ends.";
    UnsupportedFlags "EIPC_UNSUPPORTED_FLAGS" 105 ProtocolError false
        "A frame carries flags this session does not know; update the older end or report the peer.";
    TrailingBytes "EIPC_TRAILING_BYTES" 106 ProtocolError false
        "Bytes follow the end of a frame; the peer or something between is broken, reconnect.";
    UnsupportedType "EIPC_UNSUPPORTED_TYPE" 107 ProtocolError false
        "A frame has a type that does not exist here; update the older end or report the peer.";
    BadHeader "EIPC_BAD_HEADER" 108 ProtocolError false
        "A frame's header is malformed; update the older end or report the peer.";
    Protocol "EIPC_PROTOCOL" 109 ProtocolError false
        "A frame arrived or was to be sent that has no place in this state; report the side that sent it.";
    MessageTooLarge "EIPC_MESSAGE_TOO_LARGE" 110 ProtocolError false
        "The message is larger than its priority or connection allows; send less at once.";
    UnknownType "EIPC_UNKNOWN_TYPE" 111 ProtocolError false
        "No handler is registered for this type of message; register one or send another type.";
    DuplicateRequest "EIPC_DUPLICATE_REQUEST" 112 ProtocolError false
        "A request with this id is already being served; use a new id for every request.";
    BadPayload "EIPC_BAD_PAYLOAD" 113 ProtocolError false
        "A payload does not have the form its message calls for; correct the sender.";

    // Integrity: the bytes are not what the key holder sent.
    Integrity "EIPC_INTEGRITY" 201 IntegrityError false
        "A frame's tag does not verify; it was changed, forged or made with another key, the session is over.";
    Reflection "EIPC_REFLECTION" 202 IntegrityError false
        "The peer uses this side's own identity; give every service and server its own id and key.";
    Poisoned "EIPC_POISONED" 203 IntegrityError false
        "This session met an invalid frame and refuses all further use; open a new connection.";

    // Replay: authentic frames in the wrong place.
    Replay "EIPC_REPLAY" 301 ReplayError false
        "A frame was received twice or is too old; something repeats traffic, the session is over.";
    Sequence "EIPC_SEQUENCE" 302 ReplayError false
        "A frame is missing, repeated or out of order; something deletes or repeats traffic, the session is over.";

    // Authentication: who the peer is.
    HandshakeFailed "EIPC_HANDSHAKE_FAILED" 401 AuthError false
        "The handshake was refused; check service id, key, server id and suites at both ends.";
    Identity "EIPC_IDENTITY" 402 AuthError false
        "The peer proved a different identity than expected; check serverId, service id and key.";
    Key "EIPC_KEY" 403 AuthError false
        "A key cannot be used; make one with the key generator (at least 32 random bytes).";
    Revoked "EIPC_REVOKED" 404 AuthError false
        "The key or session was revoked; ask the operator for a new key.";

    // Rights.
    Capability "EIPC_CAPABILITY" 501 CapabilityError false
        "The peer does not hold the capability this action needs; grant it or do not ask.";
    Policy "EIPC_POLICY" 502 PolicyError false
        "The policy denies this action; change the policy or do not ask.";
    PolicyFile "EIPC_POLICY_FILE" 503 PolicyError false
        "The policy file cannot be used; correct the line that is named, the policy before it is still in force.";
    NotApproved "EIPC_NOT_APPROVED" 504 PolicyError false
        "No operator approved this request: it was denied, or nobody decided in time; ask the operator before asking again.";

    // Flow and time.
    Backpressure "EIPC_BACKPRESSURE" 601 BackpressureError true
        "The lane or queue is full; wait until it is ready and send again.";
    Timeout "EIPC_TIMEOUT" 602 TimeoutError false
        "The time allowed has passed; the outcome at the peer is unknown, check before trying again.";
    Stale "EIPC_STALE" 603 TimeoutError false
        "The message is older than its maximum age; check the clocks and send a new message.";

    // Connection.
    Closed "EIPC_CLOSED" 701 ClosedError false
        "The connection is closed; open a new one.";
    ClosedByPeer "EIPC_CLOSED_BY_PEER" 702 ClosedError false
        "The peer closed the session; open a new connection.";
    Expired "EIPC_EXPIRED" 703 ClosedError false
        "The session reached the end of its life; open a new connection.";
    PeerDown "EIPC_PEER_DOWN" 704 PeerDownError false
        "The peer's process is gone; reconnect when it is back.";
    Truncation "EIPC_TRUNCATED" 705 PeerDownError false
        "The connection ended without an authenticated close; messages may be missing, reconnect and check.";
    Transport "EIPC_TRANSPORT" 706 TransportError false
        "The transport failed; see the cause, check the address and that the peer is running.";
    AddressInUse "EIPC_ADDRESS_IN_USE" 707 TransportError false
        "The address is in use; stop the other server or choose another address.";

    // Other.
    Handler "EIPC_HANDLER" 901 EipcError false
        "The handler of this message failed; see the log of the side that handled it.";
    Internal "EIPC_INTERNAL" 902 EipcError false
        "EIPC met a state it should not reach; please report it with the context.";
    Audit "EIPC_AUDIT" 903 EipcError false
        "The audit log cannot be written; free space or repair what is in its way, controlled actions are denied until then.";
    AuditDamaged "EIPC_AUDIT_DAMAGED" 904 EipcError false
        "The audit log was changed or is not whole; keep it, look with `eipc audit verify`, and begin a new one.";
}

/// The few classes of errors, each of which says what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// The bytes or the call do not follow the protocol.
    ProtocolError,
    /// The peer could not prove who it is, or a key is unusable.
    AuthError,
    /// Bytes were changed or forged.
    IntegrityError,
    /// Authentic bytes were repeated, deleted or reordered.
    ReplayError,
    /// A right is missing.
    CapabilityError,
    /// The policy says no.
    PolicyError,
    /// A queue is full; the same call may succeed later.
    BackpressureError,
    /// Time is up.
    TimeoutError,
    /// The session was closed on purpose.
    ClosedError,
    /// The peer is gone without having said so.
    PeerDownError,
    /// The operating system's transport failed.
    TransportError,
    /// Everything else; also the base class of the others.
    EipcError,
}

impl Class {
    /// Returns the name of the class as users catch it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ProtocolError => "ProtocolError",
            Self::AuthError => "AuthError",
            Self::IntegrityError => "IntegrityError",
            Self::ReplayError => "ReplayError",
            Self::CapabilityError => "CapabilityError",
            Self::PolicyError => "PolicyError",
            Self::BackpressureError => "BackpressureError",
            Self::TimeoutError => "TimeoutError",
            Self::ClosedError => "ClosedError",
            Self::PeerDownError => "PeerDownError",
            Self::TransportError => "TransportError",
            Self::EipcError => "EipcError",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_and_values_are_unique_and_lead_back_to_their_code() {
        let names: BTreeSet<_> = Code::ALL.iter().map(|code| code.name()).collect();
        let values: BTreeSet<_> = Code::ALL.iter().map(|code| code.value()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        assert_eq!(values.len(), Code::ALL.len());
        for &code in Code::ALL {
            assert_eq!(Code::from_value(code.value()), Some(code));
            assert_eq!(Code::from_name(code.name()), Some(code));
        }
        assert_eq!(Code::from_value(0), None, "0 is success in C");
        assert_eq!(Code::from_name("EIPC_NOT_THERE"), None);
    }

    #[test]
    fn every_name_is_upper_case_with_the_prefix_and_every_sentence_says_what_to_do() {
        for code in Code::ALL {
            let rest = code.name().strip_prefix("EIPC_").unwrap();
            assert!(rest.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_'), "{rest}");
            assert!(code.sentence().ends_with('.') && code.sentence().contains([';', ',']), "{rest}");
        }
    }

    #[test]
    fn values_lie_in_the_group_of_their_class() {
        for code in Code::ALL {
            let group = match code.class() {
                Class::ProtocolError => 1,
                Class::IntegrityError => 2,
                Class::ReplayError => 3,
                Class::AuthError => 4,
                Class::CapabilityError | Class::PolicyError => 5,
                Class::BackpressureError | Class::TimeoutError => 6,
                Class::ClosedError | Class::PeerDownError | Class::TransportError => 7,
                Class::EipcError => 9,
            };
            assert_eq!(code.value() / 100, group, "{}", code.name());
        }
    }

    #[test]
    fn only_back_pressure_is_worth_an_unchanged_retry() {
        for code in Code::ALL {
            assert_eq!(code.is_retryable(), code.class() == Class::BackpressureError, "{}", code.name());
        }
    }
}
