//! The end of an audit chain that grows. TypeScript owns the log; the keys of lines stay here, and the one file that holds one is
//! written here too.

use std::fs::OpenOptions;
use std::io::Write;

use eipc_core::audit::Chain;
use eipc_core::crypto::secret::SecretBytes;
use eipc_core::{Code, Error as Fault};
use napi::bindgen_prelude::*;
use napi_derive::napi;

use crate::bytes;
use crate::error::{exception, internal};
use crate::key::NativeKey;

/// A chain at its end.
#[napi]
pub struct NativeAuditChain {
    chain: Chain,
}

/// Where a chain stands: what of it is durable.
#[napi(object, object_from_js = false)]
pub struct AuditPosition {
    /// The number of the last durable line; 0 before the first.
    pub number: f64,
    /// Its hash, 64 hexadecimal digits.
    pub hash: String,
    /// The number of the last line in earlier files.
    pub base: f64,
    /// Bytes of the file that are durable lines.
    pub size: f64,
    /// What tells this chain from others, 64 hexadecimal digits.
    pub chain_id: String,
    /// The key's id, 16 hexadecimal digits; absent in a chain without a key.
    pub key_id: Option<String>,
}

#[napi]
impl NativeAuditChain {
    /// Begins a chain with 32 random bytes of its own. Throws `EIPC_KEY` for a key that was made for v1.
    #[napi(factory)]
    pub fn begin(id: &[u8], key: Option<&NativeKey>) -> Result<Self, String> {
        let id =
            id.try_into().map_err(|_| exception(&Fault::new(Code::Internal, "a chain's id has 32 bytes")))?;
        let key = key.map(NativeKey::audit).transpose()?;
        Ok(Self { chain: Chain::begin(id, key.as_deref()) })
    }

    /// Goes on where a state file says. The caller wipes its copy. Throws `EIPC_AUDIT_DAMAGED` for bytes that are none, `EIPC_KEY`
    /// when a key is given that is not the one the chain began with.
    #[napi(factory)]
    pub fn resume(state: &[u8], key: Option<&NativeKey>) -> Result<Self, String> {
        let chain = Chain::resume(state).map_err(|error| exception(&error))?;
        let given = key.map(NativeKey::audit).transpose()?;
        if given.is_some_and(|key| chain.key_id() != Some(key.id())) {
            let context = "the log did not begin with this key; leave it out to go on, or begin another log";
            return Err(exception(&Fault::new(Code::Key, context)));
        }
        Ok(Self { chain })
    }

    /// Returns where the chain stands.
    #[napi]
    #[must_use]
    pub fn position(&self) -> AuditPosition {
        let Self { chain } = self;
        AuditPosition {
            number: float(chain.number()),
            hash: hex(chain.hash()),
            base: float(chain.base()),
            size: float(chain.size()),
            chain_id: hex(chain.id()),
            key_id: chain.key_id().map(|id| format!("{id:016x}")),
        }
    }

    /// Makes lines of bodies, each of which ends with a line feed. They are part of the chain after `commit`.
    #[napi(ts_return_type = "Uint8Array")]
    pub fn seal<'a>(&mut self, env: &'a Env, bodies: &[u8]) -> Result<Unknown<'a>, String> {
        let mut lines = Vec::with_capacity(bodies.len() * 2);
        self.chain.seal(bodies, &mut lines).map_err(|error| exception(&error))?;
        bytes::copied(env, &lines).map_err(internal)
    }

    /// What was sealed is durable.
    #[napi]
    pub fn commit(&mut self) {
        self.chain.commit();
    }

    /// What was sealed could not be written.
    #[napi]
    pub fn rollback(&mut self) {
        self.chain.rollback();
    }

    /// Takes lines behind what is durable, as far as they are lines of this chain. Returns how many bytes those are.
    #[napi]
    pub fn recover(&mut self, tail: &[u8]) -> u32 {
        u32::try_from(self.chain.recover(tail)).unwrap_or(u32::MAX)
    }

    /// Goes on in a new file.
    #[napi]
    pub fn begin_file(&mut self) {
        self.chain.begin_file();
    }

    /// Hands over the checkpoints that are due, as they are written; empty when none is.
    #[napi]
    pub fn take_checkpoints(&mut self) -> String {
        self.chain.take_checkpoints()
    }

    /// Returns the checkpoint of the last durable line, as it is written.
    #[napi]
    #[must_use]
    pub fn checkpoint(&self) -> String {
        self.chain.checkpoint()
    }

    /// Returns the state of what is durable now, for its file.
    #[napi]
    #[must_use]
    pub fn state(&self) -> NativeAuditState {
        NativeAuditState { state: Some(self.chain.state()) }
    }
}

/// What a state file is to say. Apart from the chain, which napi-rs keeps borrowed while a task of its own runs.
#[napi]
pub struct NativeAuditState {
    /// Absent once it was written.
    state: Option<SecretBytes>,
}

#[napi]
impl NativeAuditState {
    /// Writes the state, once, to a new file that is its owner's only, and syncs it. Resolves with an empty string, or with what went
    /// wrong.
    #[napi(ts_return_type = "Promise<string>")]
    #[must_use]
    pub fn save(&mut self, path: String) -> AsyncTask<SaveState> {
        AsyncTask::new(SaveState { state: self.state.take(), path })
    }
}

/// Writes a state on a thread of the pool: a disk may be slow.
pub struct SaveState {
    state: Option<SecretBytes>,
    path: String,
}

impl Task for SaveState {
    type Output = String;
    type JsValue = String;

    fn compute(&mut self) -> Result<Self::Output> {
        Ok(self.save().err().map_or_else(String::new, |error| error.to_string()))
    }

    fn resolve(&mut self, _: Env, output: Self::Output) -> Result<Self::JsValue> {
        Ok(output)
    }
}

impl SaveState {
    fn save(&self) -> std::io::Result<()> {
        let Some(state) = &self.state else { return Err(std::io::ErrorKind::InvalidInput.into()) };
        let mut options = OpenOptions::new();
        // A file that is there, or a link, is not followed and not filled.
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&self.path)?;
        // Whatever the umask is.
        #[cfg(unix)]
        file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        file.write_all(state.expose())?;
        file.sync_all()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[allow(clippy::cast_precision_loss, reason = "numbers and sizes below 2^53")]
const fn float(number: u64) -> f64 {
    number as f64
}
