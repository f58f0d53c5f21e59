//! The hand-over of the segment: the server's offer, the client's answer (docs/shm-abi.md, "Hand-over").
//!
//! What a segment is, and whether a descriptor goes with its offer, is the system's choice ([`SystemSegment`]).
//! A segment that is refused ends the connection: there is no silent return to the stream.

use eipc_core::{Code, Error, Features, Role};
use eipc_shm::{Capacities, Direction, Offer, Reply, Segment, SystemSegment};

use super::SharedLink;
use crate::clock;
use crate::shared_plane::SharedPlane;

impl SharedLink {
    pub(super) fn handle_established(&mut self) -> Result<(), Error> {
        let Some(session) = self.connection.session() else { return Err(Error::from(Code::Internal)) };
        if !session.features.contains(Features::SHARED_MEMORY) {
            return Err(Error::new(
                Code::HandshakeFailed,
                "the peer does not offer shared memory at a shm: address",
            ));
        }
        if session.role == Role::Client {
            return Ok(()); // the offer comes next
        }
        let made = SystemSegment::create(Capacities::DEFAULT, session.session_id).map_err(|error| {
            Error::with(Code::Transport, format!("the shared memory could not be made: {error}"))
        })?;
        self.queue_transmit(); // SessionAccept goes first
        self.connection.send_segment(&made.offer.encode(), clock::now())?;
        let bytes = self.take_transmit();
        self.socket.queue(bytes, made.descriptor);
        self.offered = Some(made.region);
        Ok(())
    }

    pub(super) fn handle_segment(&mut self, payload: &[u8]) -> Result<(), Error> {
        match self.connection.session().map(|session| session.role) {
            Some(Role::Client) => self.handle_offer(payload),
            Some(Role::Server) => self.handle_reply(payload),
            None => Err(Error::from(Code::Protocol)),
        }
    }

    pub(super) fn handle_offer(&mut self, payload: &[u8]) -> Result<(), Error> {
        let generation = self.connection.session().map_or(0, |session| session.session_id);
        if self.plane.is_some() {
            return Err(Error::new(Code::Protocol, "a second offer of a segment"));
        }
        let descriptor = self.handed_over.take();
        let opened = Offer::decode(payload, generation, self.max_segment)
            .map_err(|error| (error.reason(), error.to_string()))
            .and_then(|offer| {
                SystemSegment::open(&offer, descriptor, self.peer_uid)
                    .map_err(|error| (Some(error.reason()), error.to_string()))
            });
        match opened {
            Ok(region) => {
                self.connection.send_segment(&Reply::Ready.encode(), clock::now())?;
                self.queue_transmit();
                self.use_segment(region, Direction::ClientToServer)
            }
            Err((Some(reason), context)) => {
                self.connection.send_segment(&Reply::Refuse(reason).encode(), clock::now())?;
                self.queue_transmit();
                self.give_up(&Error::with(Code::Protocol, format!("the segment was refused: {context}")));
                Ok(())
            }
            Err((None, context)) => Err(Error::with(Code::Protocol, context)),
        }
    }

    pub(super) fn handle_reply(&mut self, payload: &[u8]) -> Result<(), Error> {
        let Some(region) = self.offered.take() else {
            return Err(Error::new(Code::Protocol, "an S frame without an offer"));
        };
        match Reply::decode(payload) {
            Ok(Reply::Ready) => {
                region.unlink();
                self.use_segment(region, Direction::ServerToClient)
            }
            Ok(Reply::Refuse(reason)) => {
                self.give_up(&Error::with(
                    Code::Protocol,
                    format!("the client refused the segment ({reason:?})"),
                ));
                Ok(())
            }
            Err(error) => Err(Error::with(Code::Protocol, error.to_string())),
        }
    }

    pub(super) fn use_segment(&mut self, region: SystemSegment, sends: Direction) -> Result<(), Error> {
        let keys = self.connection.use_segment()?;
        self.plane = Some(SharedPlane::new(region, sends, keys)?);
        self.deframer.allow_doorbells();
        self.has_news = true;
        Ok(())
    }
}
