//! Checks that no rule can remove, because what follows needs a value that only a passed check gives. What
//! it is given instead is written here.

/// In `file` the expression `check`, which occurs once, becomes `instead`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ByHand {
    pub(crate) file: &'static str,
    pub(crate) check: &'static str,
    pub(crate) change: &'static str,
    pub(crate) instead: &'static str,
}

/// One row for each: the file under `crates/core/src`, the check, what becomes of it, and its code.
macro_rules! by_hand {
    ($($file:literal { $($check:literal, $change:literal, $instead:literal;)+ })+) => {
        /// All of them.
        pub(crate) const BY_HAND: &[ByHand] = &[$($(
            ByHand {
                file: concat!("crates/core/src/", $file),
                check: $check,
                change: $change,
                instead: $instead,
            },
        )+)+];
    };
}

by_hand! {
    "crypto/aead.rs" {
        "tag.try_into().map_err(|_| CryptoError)?", "takes a tag of any length",
        "aead::Tag::from(tag.first_chunk().copied().unwrap_or_default())";
    }
    "session/admission.rs" {
        "key.tokens.checked_sub(Duration::from_secs(1))", "never runs out",
        "Some(key.tokens.saturating_sub(Duration::from_secs(1)))";
        "random.array().map(u64::from_be_bytes).map_err(|_| no_randomness())?", "does without randomness",
        "random.array().map_or(1, u64::from_be_bytes)";
    }
    "session/envelope.rs" {
        "Kind::from_byte(frame.kind())", "takes an unknown type for chat",
        "Some(Kind::from_byte(frame.kind()).unwrap_or(Kind::Chat))";
    }
    "session/epoch.rs" {
        "self.epoch.checked_add(1) != Some(epoch)", "begins again behind the last",
        "self.epoch.wrapping_add(1) != epoch";
    }
    "session/handshake_v2/accept.rs" {
        "server_id.ok_or_else(missing)?", "may be missing", "server_id.unwrap_or(\"eai\".into())";
        "capabilities.ok_or_else(missing)?", "may be missing", "capabilities.unwrap_or_default()";
        "ttl_ms.ok_or_else(missing)?", "may be missing", "ttl_ms.unwrap_or_default()";
        "max_frame .ok_or_else(missing)?", "may be missing", "max_frame.unwrap_or(4096)";
    }
    "session/handshake_v2/client.rs" {
        "random.array().map_err(|_| no_randomness())?", "does without randomness",
        "random.array().unwrap_or([0; 32])";
        "key.agree(&hello.public).map_err(|_| refused(\"low-order server key\"))?", "agrees on zeros",
        "key.agree(&hello.public).unwrap_or(crate::crypto::secret::Secret::fill(|_| Ok::<_, Error>(()))?)";
    }
    "session/handshake_v2/server.rs" {
        "random.array().map_err(|_| no_randomness())?", "does without randomness",
        "random.array().unwrap_or([0; 32])";
        "key.agree(&hello.public).map_err(|_| refused(\"low-order client key\"))?", "agrees on zeros",
        "key.agree(&hello.public).unwrap_or(crate::crypto::secret::Secret::fill(|_| Ok::<_, Error>(()))?)";
    }
    "session/v1/handshake/client.rs" {
        "nonce.ok_or(refused(\"the nonce is not 32 bytes in hexadecimal digits\"))?", "answers another nonce",
        "nonce.unwrap_or([7; 32])";
    }
    "session/v1/handshake/payload.rs" {
        "service_id.ok_or(Error::new(Code::BadPayload, \"service_id is missing\"))?", "may be missing",
        "service_id.unwrap_or_default()";
    }
    "session/v1/handshake/server.rs" {
        "random.array::<32>().map_err(|_| no_randomness())?", "does without randomness",
        "random.array::<32>().unwrap_or([7; 32])";
        "random.array().map_err(|_| no_randomness())?", "does without randomness",
        "random.array().unwrap_or([7; 32])";
    }
    "session/v1/open.rs" {
        "Kind::from_byte(kind)", "takes an unknown type for chat",
        "Some(Kind::from_byte(kind).unwrap_or(Kind::Chat))";
    }
    "session/v1/seal.rs" {
        "self.sent.checked_add(1).ok_or(LAST)?", "begins again behind the last", "self.sent.wrapping_add(1)";
    }
    "wire/header_binary.rs" {
        "Priority::from_byte(priority)", "takes any for the default",
        "Some(Priority::from_byte(priority).unwrap_or_default())";
        "PayloadFormat::from_byte(payload_format)", "takes any for the default",
        "Some(PayloadFormat::from_byte(payload_format).unwrap_or_default())";
    }
    "wire/header_json.rs" {
        "byte(parser.number()?) .and_then(Priority::from_byte) .ok_or(Refused(\"priority above 3\"))?",
        "takes any for the default",
        "byte(parser.number()?).and_then(Priority::from_byte).unwrap_or_default()";
        "byte(parser.number()?) .and_then(PayloadFormat::from_byte) .ok_or(Refused(\"payload_format above 3\"))?",
        "takes any for the default",
        "byte(parser.number()?).and_then(PayloadFormat::from_byte).unwrap_or_default()";
        "i64::try_from(nanoseconds).ok()", "takes any above for the largest",
        "Some(i64::try_from(nanoseconds).unwrap_or(i64::MAX))";
        "u32::try_from(parser.number()?).map_err(|_| Refused(\"max_age_ms above 2^32 - 1\"))?", "wraps",
        "parser.number()? as u32";
    }
    "wire/header_v1/read.rs" {
        "self.timestamp.ok_or(Refused(\"timestamp is missing\"))?", "may be missing",
        "self.timestamp.unwrap_or(\"0\".into())";
        "self.priority.ok_or(Refused(\"priority is missing\"))?", "may be missing", "self.priority.unwrap_or(1)";
        "self.service_id.ok_or(Refused(\"service_id is missing\"))?", "may be missing",
        "self.service_id.unwrap_or_default()";
        "self.sequence.ok_or(Refused(\"sequence is missing\"))?", "may be missing", "self.sequence.unwrap_or(1)";
        "byte(priority).and_then(Priority::from_byte).ok_or(Refused(\"priority above 3\"))?",
        "takes any for the default", "byte(priority).and_then(Priority::from_byte).unwrap_or_default()";
    }
    "wire/json.rs" {
        "core::str::from_utf8(bytes).map_err(|_| Refused(\"invalid UTF-8\"))?", "takes any bytes for text",
        "&*String::from_utf8_lossy(bytes).into_owned().leak()";
        "char::from_u32(scalar)", "takes half a character for one", "Some(char::from_u32(scalar).unwrap_or('?'))";
        "Err(Refused(\"a value that is not allowed here\"))", "is skipped", "Ok(())";
    }
    "wire/preamble.rs" {
        "*bytes", "has any magic", "{ let mut good = *bytes; good[..4].copy_from_slice(&MAGIC); good }";
    }
}
