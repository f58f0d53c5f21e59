//! A session over a byte stream that JavaScript owns: chunks in, messages and bytes to write out.
//!
//! The same for both protocols; what differs between them is in [`Protocol`].

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use eipc_core::crypto::random::Random;
use eipc_core::v1::{self, StreamEnd};
use eipc_core::wire::{Deframed, Deframer};
use eipc_core::{ClientConfig, CloseFrame, Code, Connection, Error as Fault, State, Time};
use napi::bindgen_prelude::*;
use napi_derive::napi;

use crate::batch::{Delivery, flag};
use crate::bytes;
use crate::clock;
use crate::ended::Ended;
use crate::error::{Outcome, exception};
use crate::hot;
use crate::key::NativeKey;
use crate::options::{NativeAddress, NativeClientOptions, SessionInfo};
use crate::protocol::Protocol;
use crate::timer::Timer;
use crate::v1_options::{NativeV1Client, NativeV1Mac};

pub(crate) struct StreamInner {
    connection: RefCell<Protocol>,
    deframer: RefCell<Deframer>,
    random: Random,
    ended: RefCell<Option<Ended>>,
    peer_close: RefCell<Option<CloseFrame>>,
    told_state: Cell<u32>,
    timer: Timer,
    /// A server's side inside TLS that was not told of its exporter yet: the address, and when it began.
    unbound: RefCell<Option<(NativeAddress, Time)>>,
}

impl StreamInner {
    fn new(connection: Protocol, random: Random) -> Rc<Self> {
        let limit = connection.frame_limit();
        Rc::new(Self {
            connection: RefCell::new(connection),
            deframer: RefCell::new(Deframer::new(limit)),
            random,
            ended: RefCell::new(None),
            peer_close: RefCell::new(None),
            told_state: Cell::new(0),
            timer: Timer::new(),
            unbound: RefCell::new(None),
        })
    }

    fn server(address: &NativeAddress, now: Time) -> Rc<Self> {
        let inner = Self::new(Protocol::server(address, now), Random::system());
        if address.is_tls() {
            inner.unbound.replace(Some((address.clone(), now)));
        }
        inner
    }

    /// Hot: `receive(chunk, from, slab, slabFrom, descriptors)`.
    fn receive(self: &Rc<Self>, arguments: &mut hot::Arguments) -> Option<i32> {
        let (from, slab_from) = (arguments.number(1)?, arguments.number(3)?);
        let ([chunk, slab], words) = arguments.views([0, 2], 4)?;
        let mut input: &[u8] = chunk.get(from..)?;
        let offered = input.len();
        let mut delivery = Delivery::new(slab, slab_from, words)?;
        if self.ended.borrow().is_none() {
            let mut connection = self.connection.try_borrow_mut().ok()?;
            let mut deframer = self.deframer.try_borrow_mut().ok()?;
            let knew_peer = connection.knows_peer();
            if let Err(error) = self.take_frames(&mut connection, &mut deframer, &mut input, &mut delivery) {
                let error = connection.abort(error, clock::now());
                let ended = Ended::by_fault(&error).with_hello_forged(connection.is_hello_forged());
                *self.ended.borrow_mut() = Some(ended);
            }
            if connection.has_transmit() {
                delivery.raise(flag::TRANSMIT);
            }
            if !knew_peer && connection.knows_peer() {
                delivery.raise(flag::PEER);
            }
            if connection.has_answered_hello() {
                delivery.raise(flag::RECOGNISED);
            }
        } else {
            input = &[]; // nothing after the end is read
        }
        let state = self.state_word();
        if self.told_state.replace(state) != state {
            delivery.raise(flag::STATE);
        }
        let timeout = self.timer.news(self.deadline()).unwrap_or(u32::MAX);
        Some(delivery.finish(offered - input.len(), state, timeout, 0))
    }

    /// Cuts frames out of `input` until it or the room for messages is used up.
    fn take_frames(
        &self,
        connection: &mut Protocol,
        deframer: &mut Deframer,
        input: &mut &[u8],
        delivery: &mut Delivery<'_>,
    ) -> std::result::Result<(), Fault> {
        if self.unbound.borrow().is_some() {
            return Err(Fault::new(Code::Internal, "bytes of a TLS connection that was not bound"));
        }
        let now = clock::now();
        loop {
            if !delivery.has_words() {
                delivery.raise(flag::MORE);
                return Ok(());
            }
            deframer.set_limit(connection.frame_limit());
            let length = match deframer.poll(input, delivery.free())? {
                Deframed::NeedInput | Deframed::Doorbell => return Ok(()),
                Deframed::NeedRoom(length) => {
                    delivery.ask_for(length);
                    return Ok(());
                }
                Deframed::Frame(length) => length,
            };
            let has_said_goodbye = connection.state() == State::Closing && self.peer_close.borrow().is_none();
            if let Some(close) = connection.receive(delivery, length, &self.random, now)? {
                *self.peer_close.borrow_mut() = Some(close);
            }
            // Our X went first: the peer's is the answer, and the end.
            if has_said_goodbye && self.peer_close.borrow().is_some() {
                connection.finish_close(now)?;
            }
        }
    }

    /// Hot: `seal(batch, length)`.
    fn seal(self: &Rc<Self>, arguments: &mut hot::Arguments) -> Option<i32> {
        let length = arguments.number(1)?;
        let batch = arguments.bytes(0)?.get_mut(..length)?;
        let mut connection = self.connection.try_borrow_mut().ok()?;
        match connection.seal_batch(batch) {
            Ok(sealed) => i32::try_from(sealed).ok(),
            Err(error) => Some(hot::failure(error.code)),
        }
    }

    fn state_word(&self) -> u32 {
        if self.ended.borrow().is_some() {
            State::Closed as u32
        } else {
            self.connection.borrow().state() as u32
        }
    }

    fn deadline(&self) -> Option<Time> {
        if self.ended.borrow().is_some() { None } else { self.connection.borrow().poll_deadline() }
    }

    /// Runs `work` on the connection; what fails ends the session.
    fn with(&self, work: impl FnOnce(&mut Protocol, Time) -> std::result::Result<(), Fault>) {
        let done = work(&mut self.connection.borrow_mut(), clock::now());
        if let Err(error) = done {
            self.ended.borrow_mut().get_or_insert(Ended::by_fault(&error));
        }
    }
}

/// One connection over a byte stream.
#[napi]
pub struct StreamSession {
    inner: Rc<StreamInner>,
}

/// The calls of a session that run once per batch.
#[napi(object, object_from_js = false)]
pub struct StreamCalls<'a> {
    /// Takes a chunk from an offset; fills slab and descriptors; returns the number of messages.
    #[napi(
        ts_type = "(chunk: Uint8Array, from: number, slab: Uint8Array, slabFrom: number, descriptors: Uint32Array) => number"
    )]
    pub receive: Unknown<'a>,
    /// Seals the records of a batch in place; returns how many bytes at its front are to be written, or −(error value).
    #[napi(ts_type = "(batch: Uint8Array, length: number) => number")]
    pub seal: Unknown<'a>,
}

impl StreamSession {
    pub(crate) fn begin_client(config: ClientConfig, random: Random) -> std::result::Result<Self, Fault> {
        let connection = Connection::client(config, &random, clock::now())?;
        Ok(Self { inner: StreamInner::new(Protocol::eipc2(connection), random) })
    }

    /// A server's side that serves EIPC/2 alone, with the randomness of a vector.
    #[cfg(feature = "vectors")]
    pub(crate) fn begin_server(config: std::sync::Arc<eipc_core::ServerConfig>, random: Random) -> Self {
        let connection = Connection::server(config, clock::now());
        Self { inner: StreamInner::new(Protocol::eipc2(connection), random) }
    }

    /// What it drives, for the vectors.
    #[cfg(feature = "vectors")]
    pub(crate) fn protocol(&self) -> &RefCell<Protocol> {
        &self.inner.connection
    }
}

#[napi]
impl StreamSession {
    /// Starts the client's side; its hello waits in `takeTransmit`.
    #[napi(factory)]
    pub fn client(options: NativeClientOptions) -> Result<Self, String> {
        Self::begin_client(options.config(false)?, Random::system()).map_err(|error| exception(&error))
    }

    /// Starts the client's side of v1 with its handshake; its first frame waits in `takeTransmit`.
    #[napi(factory)]
    pub fn v1_client(options: NativeV1Client) -> Result<Self, String> {
        let connection = v1::Connection::client(options.config()?, clock::unix_nanoseconds(), clock::now())
            .map_err(|error| exception(&error))?;
        Ok(Self { inner: StreamInner::new(Protocol::v1(connection), Random::system()) })
    }

    /// Starts either side of v1 without a handshake: it is open at once.
    #[napi(factory)]
    pub fn v1_mac(options: NativeV1Mac) -> Result<Self, String> {
        let connection =
            v1::Connection::mac_only(options.config()?, clock::now()).map_err(|error| exception(&error))?;
        Ok(Self { inner: StreamInner::new(Protocol::v1(connection), Random::system()) })
    }

    /// Starts the server's side. Where the address serves v1 too, the client's first frame decides.
    #[napi(factory)]
    #[must_use]
    pub fn server(address: &NativeAddress) -> Self {
        Self { inner: StreamInner::server(address, clock::now()) }
    }

    /// Binds a server's side to the TLS connection it is in, by the exporter of that connection (32 bytes). Before that nothing is
    /// read of it. Its time runs from its beginning, so that it covers the handshake of TLS.
    #[napi]
    pub fn bind_tls(&self, exporter: &[u8]) -> Result<(), String> {
        let mut unbound = self.inner.unbound.borrow_mut();
        let Some((address, since)) = unbound.as_ref() else {
            return Err(exception(&Fault::new(Code::Internal, "a session that does not wait for TLS")));
        };
        let bound = Protocol::server(&address.bound(exporter)?, *since);
        self.inner.connection.replace(bound);
        unbound.take();
        Ok(())
    }

    /// Makes the calls that run once per batch.
    #[napi]
    pub fn calls<'a>(&self, env: &'a Env) -> Result<StreamCalls<'a>> {
        Ok(StreamCalls {
            receive: hot::function(env, &self.inner, StreamInner::receive)?,
            seal: hot::function(env, &self.inner, StreamInner::seal)?,
        })
    }

    /// Takes the control-plane bytes to write now: behind frames sealed earlier, before those sealed later.
    #[napi(ts_return_type = "Uint8Array | null")]
    pub fn take_transmit<'a>(&self, env: &'a Env) -> Result<Option<Unknown<'a>>> {
        let mut connection = self.inner.connection.borrow_mut();
        let mut bytes = Vec::new();
        while let Some(frame) = connection.poll_transmit() {
            bytes.extend_from_slice(&frame);
        }
        (!bytes.is_empty()).then(|| bytes::copied(env, &bytes)).transpose()
    }

    /// Returns the milliseconds until `handleTimeout` must be called, −1 for never.
    #[napi]
    #[must_use]
    pub fn timeout_ms(&self) -> i64 {
        self.inner.timer.answer(self.inner.deadline()).map_or(-1, i64::from)
    }

    /// Tells the session that its time has come.
    #[napi]
    pub fn handle_timeout(&self) {
        self.inner.with(|connection, now| connection.handle_timeout(now));
    }

    /// Tells the session that the stream has ended, or broke.
    #[napi]
    pub fn handle_end(&self, is_broken: bool) {
        let end = if self.inner.deframer.borrow().is_mid_frame() {
            StreamEnd::InsideFrame
        } else if is_broken {
            StreamEnd::Broken
        } else {
            StreamEnd::Whole
        };
        self.inner.with(|connection, now| connection.handle_end(end, now));
    }

    /// Starts the close, which in EIPC/2 is authenticated (0 normal, 1 time, 2 revoked, 3 shutdown); idempotent.
    #[napi]
    pub fn close(&self, reason: u32) {
        let reason = crate::options::close_reason(reason);
        self.inner.with(|connection, now| connection.close(reason, now));
    }

    /// Answers the peer's goodbye, once everything before it was delivered.
    #[napi]
    pub fn finish_close(&self) {
        self.inner.with(|connection, now| connection.finish_close(now));
    }

    /// Gives this side another id before it has sent anything; only without a handshake. Throws otherwise.
    #[napi]
    pub fn rename(&self, own_id: String) -> Result<(), String> {
        self.inner.connection.borrow_mut().rename(&own_id).map_err(|error| exception(&error))
    }

    /// 0 handshaking, 1 open, 2 closing, 3 closed.
    #[napi]
    #[must_use]
    pub fn state(&self) -> u32 {
        self.inner.state_word()
    }

    /// Returns who the peer is, once that is proved.
    #[napi]
    #[must_use]
    pub fn info(&self) -> Option<SessionInfo> {
        self.inner.connection.borrow().info()
    }

    /// Tells whether the open session is under a key.
    #[napi]
    #[must_use]
    pub fn uses_key(&self, key: &NativeKey) -> bool {
        self.inner.connection.borrow().uses_key(key)
    }

    /// Returns how the session ended, once it has.
    #[napi]
    #[must_use]
    pub fn outcome(&self) -> Option<Outcome> {
        let connection = self.inner.connection.borrow();
        if let Some(ended) = self.inner.ended.borrow().as_ref() {
            return Some(ended.outcome());
        }
        let is_over = connection.state() == State::Closed;
        is_over.then(|| match self.inner.peer_close.borrow().as_ref() {
            None if connection.has_peer_closed() => Ended::by_peer().outcome(),
            close => Ended::by_agreement(close).outcome(),
        })
    }
}
