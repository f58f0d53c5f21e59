//! The payload of SessionAccept: who the server is and what the session may do
//! (`docs/wire.md`, "EIPC/2 handshake").
//!
//! Comes behind both proofs, under the session's own keys; still read by the strict parser, because two
//! readers must understand one text.

use super::refused;
use crate::error::{Code, Error, Result};
use crate::message::is_clean;
use crate::wire::header_json::{Refused, push_string, read_object};
use crate::wire::limits::{MAX_FRAME_SIZE, UNAUTHENTICATED_FRAME_LIMIT, is_id};

/// The fields of SessionAccept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Accept {
    pub(super) server_id: String,
    pub(super) capabilities: Vec<String>,
    pub(super) ttl_ms: u64,
    pub(super) max_frame: usize,
}

/// More capabilities than anybody grants; a bound for what a server can make a client keep.
const MAX_CAPABILITIES: usize = 256;
/// The longest capability a binary meta can carry.
const MAX_CAPABILITY_LEN: usize = 255;
const KEYS: [&str; 5] = ["status", "server_id", "capabilities", "ttl_ms", "max_frame"];

impl Accept {
    pub(super) fn write(&self) -> Vec<u8> {
        let mut text = String::from("{\"status\":\"ok\",\"server_id\":");
        push_string(&mut text, &self.server_id);
        text.push_str(",\"capabilities\":[");
        for (at, capability) in self.capabilities.iter().enumerate() {
            if at > 0 {
                text.push(',');
            }
            push_string(&mut text, capability);
        }
        text.push_str(&format!("],\"ttl_ms\":{},\"max_frame\":{}}}", self.ttl_ms, self.max_frame));
        text.into_bytes()
    }

    /// Reads the payload; every field must be there.
    pub(super) fn read(payload: &[u8]) -> Result<Self> {
        let (mut status, mut server_id, mut capabilities) = (None, None, None);
        let (mut ttl_ms, mut max_frame) = (None, None);
        read_object(payload, &KEYS, &mut |name, parser| {
            match name {
                "status" => status = Some(parser.string()?),
                "server_id" => server_id = Some(parser.string()?.into_owned()),
                "capabilities" => {
                    let mut list = Vec::new();
                    parser.array(&mut |parser| {
                        let capability = parser.string()?;
                        if list.len() == MAX_CAPABILITIES
                            || capability.len() > MAX_CAPABILITY_LEN
                            || !is_clean(&capability)
                        {
                            return Err(Refused("too many or malformed capabilities"));
                        }
                        list.push(capability.into_owned());
                        Ok(())
                    })?;
                    capabilities = Some(list);
                }
                "ttl_ms" => ttl_ms = Some(parser.number()?),
                _ => max_frame = Some(parser.number()?),
            }
            Ok(())
        })
        .map_err(|Refused(why)| refused(why))?;
        if status.as_deref() != Some("ok") {
            return Err(refused("the status of SessionAccept is not ok"));
        }
        let missing = || refused("a field of SessionAccept is missing");
        let accept = Self {
            server_id: server_id.ok_or_else(missing)?,
            capabilities: capabilities.ok_or_else(missing)?,
            ttl_ms: ttl_ms.ok_or_else(missing)?,
            max_frame: max_frame
                .ok_or_else(missing)?
                .try_into()
                .map_err(|_| refused("max_frame is out of bounds"))?,
        };
        if !is_id(&accept.server_id) {
            return Err(Error::new(Code::Identity, "the server's id is not an id"));
        }
        if !(UNAUTHENTICATED_FRAME_LIMIT..=MAX_FRAME_SIZE).contains(&accept.max_frame) {
            return Err(refused("max_frame is out of bounds"));
        }
        Ok(accept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Accept {
        Accept {
            server_id: "eai".into(),
            capabilities: vec!["ui:control".into(), "a\"b".into()],
            ttl_ms: 3_600_000,
            max_frame: 1_048_576,
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        assert_eq!(Accept::read(&sample().write()), Ok(sample()));
    }

    #[test]
    fn every_field_is_needed_and_checked() {
        let good = String::from_utf8(sample().write()).unwrap();
        for (from, to) in [
            ("\"ok\"", "\"denied\""),
            ("\"status\":\"ok\",", ""),
            ("\"server_id\":\"eai\",", ""),
            ("\"eai\"", "\"Eai\""),
            ("\"eai\"", "\"\""),
            ("\"capabilities\":[\"ui:control\",\"a\\\"b\"],", ""),
            ("\"ui:control\"", "1"),
            ("\"ui:control\"", "\"\\u001b\""),
            ("\"ttl_ms\":3600000,", ""),
            ("3600000", "-1"),
            (",\"max_frame\":1048576", ""),
            ("1048576", "4095"),
            ("1048576", "1048577"),
            ("1048576", "18446744073709551615"),
            ("\"status\"", "\"Status\""),
            ("}", ",\"status\":\"ok\"}"),
            ("}", "}x"),
        ] {
            let changed = good.replacen(from, to, 1);
            assert_ne!(changed, good);
            assert!(Accept::read(changed.as_bytes()).is_err(), "{changed}");
        }
        // A list refused in the middle is not taken for one that has ended.
        let unended = good.replacen("\"ui:control\",\"a\\\"b\"]", "\"\\u001b\"", 1);
        assert_eq!(unended.matches('[').count() - unended.matches(']').count(), 1);
        assert!(Accept::read(unended.as_bytes()).is_err());
        let one = |length| Accept { capabilities: vec!["a".repeat(length)], ..sample() };
        assert!(Accept::read(&one(255).write()).is_ok() && Accept::read(&one(256).write()).is_err());
        let most = Accept { capabilities: vec!["a".into(); 256], ..sample() };
        assert!(Accept::read(&most.write()).is_ok());
        for bound in ["4096", "1048576"] {
            assert!(Accept::read(good.replace("1048576", bound).as_bytes()).is_ok());
        }
        let many = Accept { capabilities: vec!["a".into(); 257], ..sample() };
        assert!(Accept::read(&many.write()).is_err());
    }

    #[test]
    fn random_bytes_are_refused_without_a_panic() {
        let accepted = eipc_testkit::noise::feed(&sample().write(), |bytes| Accept::read(bytes).is_ok());
        assert!(accepted > 0);
    }
}
