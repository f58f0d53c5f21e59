//! The JSON payloads of the four frames.
//!
//! Read by the strict parser, behind a verified tag. What the values must be is decided in `client` and
//! `server`.

use crate::error::{Code, Error, Result};
use crate::hex;
use crate::message::is_clean;
use crate::wire::header_json::{Refused, push_string, read_object};

/// What a refused client is told, whatever the reason.
pub(super) const DENIED: &str = "authentication failed";

/// More capabilities than anybody grants; a bound for what a server can make a client keep.
const MAX_CAPABILITIES: usize = 256;
/// The longest capability.
const MAX_CAPABILITY_LEN: usize = 255;

/// The client's two payloads: who it is, and in the second its answer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) service_id: String,
    pub(super) response: Option<String>,
}

impl Claim {
    pub(super) fn write(service_id: &str, response: Option<&[u8; 32]>) -> Vec<u8> {
        let mut text = String::from("{\"service_id\":");
        push_string(&mut text, service_id);
        if let Some(response) = response {
            text.push_str(",\"response\":");
            push_string(&mut text, &hex::encode(response));
        }
        text.push('}');
        text.into_bytes()
    }

    pub(super) fn read(payload: &[u8]) -> Result<Self> {
        let (mut service_id, mut response) = (None, None);
        read_object(payload, &["service_id", "response"], &mut |name, parser| {
            let value = parser.string()?.into_owned();
            *if name == "service_id" { &mut service_id } else { &mut response } = Some(value);
            Ok(())
        })
        .map_err(malformed)?;
        let service_id = service_id.ok_or(Error::new(Code::BadPayload, "service_id is missing"))?;
        Ok(Self { service_id, response })
    }
}

/// The server's payloads: a challenge, the outcome, or a denial.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: String,
    pub(super) nonce: Option<String>,
    pub(super) token: Option<String>,
    pub(super) capabilities: Vec<String>,
}

impl Answer {
    pub(super) fn write_challenge(nonce: &[u8; 32]) -> Vec<u8> {
        format!("{{\"status\":\"challenge\",\"nonce\":\"{}\"}}", hex::encode(nonce)).into_bytes()
    }

    pub(super) fn write_denial() -> Vec<u8> {
        format!("{{\"status\":\"denied\",\"error\":\"{DENIED}\"}}").into_bytes()
    }

    pub(super) fn write_ok(token: &str, capabilities: &[String]) -> Vec<u8> {
        let mut text = String::from("{\"status\":\"ok\",\"session_token\":");
        push_string(&mut text, token);
        text.push_str(",\"capabilities\":[");
        for (at, capability) in capabilities.iter().enumerate() {
            if at > 0 {
                text.push(',');
            }
            push_string(&mut text, capability);
        }
        text.push_str("]}");
        text.into_bytes()
    }

    pub(super) fn read(payload: &[u8]) -> Result<Self> {
        let mut answer = Self::default();
        read_object(payload, &["status", "nonce", "session_token", "capabilities"], &mut |name, parser| {
            match name {
                "status" => answer.status = parser.string()?.into_owned(),
                "nonce" => answer.nonce = Some(parser.string()?.into_owned()),
                "session_token" => answer.token = Some(parser.string()?.into_owned()),
                _ => parser.array(&mut |parser| {
                    let capability = parser.string()?;
                    let has_room = answer.capabilities.len() < MAX_CAPABILITIES;
                    if !has_room || capability.len() > MAX_CAPABILITY_LEN || !is_clean(&capability) {
                        return Err(Refused("too many or malformed capabilities"));
                    }
                    answer.capabilities.push(capability.into_owned());
                    Ok(())
                })?,
            }
            Ok(())
        })
        .map_err(malformed)?;
        Ok(answer)
    }
}

fn malformed(Refused(why): Refused) -> Error {
    Error::new(Code::BadPayload, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_are_those_of_the_original() {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let digits = "5a".repeat(32);
        assert_eq!(text(Claim::write("nia.min", None)), r#"{"service_id":"nia.min"}"#);
        let response = format!(r#"{{"service_id":"nia.min","response":"{digits}"}}"#);
        assert_eq!(text(Claim::write("nia.min", Some(&[0x5a; 32]))), response);
        let challenge = format!(r#"{{"status":"challenge","nonce":"{digits}"}}"#);
        assert_eq!(text(Answer::write_challenge(&[0x5a; 32])), challenge);
        let ok = r#"{"status":"ok","session_token":"t","capabilities":["ui:control","device:read"]}"#;
        assert_eq!(text(Answer::write_ok("t", &["ui:control".into(), "device:read".into()])), ok);
    }

    #[test]
    fn payloads_are_read_back() {
        let claim = Claim::read(&Claim::write("é\"x", Some(&[1; 32]))).unwrap();
        assert_eq!((claim.service_id.as_str(), claim.response), ("é\"x", Some("01".repeat(32))));
        assert_eq!(Claim::read(&Claim::write("a", None)).unwrap().response, None);
        let answer = Answer::read(&Answer::write_ok("t", &["a".into(), "b".into()])).unwrap();
        assert_eq!((answer.token.as_deref(), answer.capabilities.len()), (Some("t"), 2));
        assert_eq!(Answer::read(&Answer::write_denial()).unwrap().status, "denied");
        let nonce = Answer::read(&Answer::write_challenge(&[3; 32])).unwrap().nonce;
        assert_eq!(nonce, Some("03".repeat(32)));
    }

    #[test]
    fn malformed_payloads_are_refused() {
        for text in [
            "",
            "{}",
            "[]",
            r#"{"service_id":null}"#,
            r#"{"service_id":1}"#,
            r#"{"service_id":"a","service_id":"b"}"#,
            r#"{"service_id":"a","Service_ID":"b"}"#,
            r#"{"service_id":"a"}x"#,
        ] {
            assert_eq!(Claim::read(text.as_bytes()).unwrap_err().code, Code::BadPayload, "{text}");
        }
        let capabilities = |list: &str| format!(r#"{{"status":"ok","capabilities":[{list}]}}"#);
        for text in [
            capabilities(&["\"c\""; MAX_CAPABILITIES + 1].join(",")),
            capabilities(&format!("\"{}\"", "c".repeat(256))),
            capabilities(r#""a\n""#),
            capabilities("1"),
            r#"{"status":"ok","capabilities":null}"#.into(),
            r#"{"status":"ok","status":"denied"}"#.into(),
        ] {
            assert_eq!(Answer::read(text.as_bytes()).unwrap_err().code, Code::BadPayload, "{text}");
        }
        assert!(Answer::read(capabilities(&["\"c\""; MAX_CAPABILITIES].join(",")).as_bytes()).is_ok());
        assert!(Answer::read(capabilities(&format!("\"{}\"", "c".repeat(255))).as_bytes()).is_ok());
        // A list refused in the middle is not taken for one that has ended.
        assert!(Answer::read(br#"{"status":"ok","capabilities":["a\n"}"#).is_err());
    }

    #[test]
    fn random_bytes_are_refused_without_a_panic() {
        let claim = Claim::write("nia.min", Some(&[0x5a; 32]));
        let claims = eipc_testkit::noise::feed(&claim, |bytes| Claim::read(bytes).is_ok());
        let ok = Answer::write_ok("token", &["ui:control".into(), "a\"b".into()]);
        let answers = eipc_testkit::noise::feed(&ok, |bytes| Answer::read(bytes).is_ok());
        assert!(claims > 0 && answers > 0);
    }
}
