//! What a chain leaves in its state file, so that it can go on after the process has ended (`docs/audit.md`,
//! "The state file"): where it stands and the key of the next line, and nothing of any line before.

use super::MAX_NUMBER;
use super::chain::{Chain, Position};
use super::key::LineKey;
use crate::crypto::digest::sha256;
use crate::crypto::secret::{Secret, SecretBytes};
use crate::error::{Code, Error, Result};

/// Bytes of a state file.
pub const STATE_LEN: usize = 176;

const MAGIC: [u8; 8] = *b"EIPCAUD1";
const SUM_LEN: usize = 32;

/// Writes the state of what is durable.
pub(super) fn write(chain: &Chain) -> SecretBytes {
    // With its final capacity, so that no copy with the key is left behind by growing.
    let mut out = Vec::with_capacity(STATE_LEN);
    let Position { number, hash, size, key, .. } = chain.durable();
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&[u8::from(key.is_some()), 0, 0, 0, 0, 0, 0, 0]);
    for number in [*number, chain.base(), *size] {
        out.extend_from_slice(&number.to_be_bytes());
    }
    out.extend_from_slice(hash);
    out.extend_from_slice(chain.id());
    out.extend_from_slice(&chain.key_id().unwrap_or_default().to_be_bytes());
    match key {
        Some(LineKey(key)) => out.extend_from_slice(key.expose()),
        None => out.extend_from_slice(&[0; 32]),
    }
    let sum = sha256(&[&out]);
    out.extend_from_slice(&sum);
    SecretBytes::new(out)
}

/// Reads the content of a state file.
pub(super) fn read(bytes: &[u8]) -> Result<Chain> {
    let damaged = || Error::new(Code::AuditDamaged, "the state file is not one, or not whole");
    let (content, sum) = bytes.split_last_chunk::<SUM_LEN>().ok_or_else(damaged)?;
    if bytes.len() != STATE_LEN || sha256(&[content]) != *sum {
        return Err(damaged());
    }
    let mut rest = content;
    let magic: [u8; 8] = take(&mut rest).ok_or_else(damaged)?;
    let [is_keyed, zeros @ ..]: [u8; 8] = take(&mut rest).ok_or_else(damaged)?;
    let mut number = || take(&mut rest).map(u64::from_be_bytes).ok_or_else(damaged);
    let (last, base, size) = (number()?, number()?, number()?);
    let hash = take(&mut rest).ok_or_else(damaged)?;
    let id = take(&mut rest).ok_or_else(damaged)?;
    let key_id = take(&mut rest).map(u64::from_be_bytes).ok_or_else(damaged)?;
    let is_known = magic == MAGIC && is_keyed <= 1 && zeros == [0; 7];
    if !is_known || base > last || last > MAX_NUMBER {
        return Err(damaged());
    }
    let (key, key_id) = if is_keyed == 1 {
        let key = Secret::fill(|out| {
            *out = *rest.first_chunk().ok_or_else(damaged)?;
            Ok::<_, Error>(())
        })?;
        (Some(LineKey(key)), Some(key_id))
    } else {
        (None, None)
    };
    Ok(Chain::restored(id, key_id, base, Position::new(last, hash, size, key)))
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, behind) = rest.split_first_chunk()?;
    *rest = behind;
    Some(*first)
}
