//! The kinds of frames: the twelve message types and the three control types.
//!
//! Byte ↔ kind ↔ name, nothing else. Which kinds a state accepts is decided in `session`.

macro_rules! kinds {
    ($($variant:ident $byte:literal $name:literal $text:literal;)+) => {
        /// The type byte of a frame.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Kind { $(#[doc = $text] $variant,)+ }

        impl Kind {
            /// Every kind there is.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Finds the kind of a type byte.
            #[must_use]
            pub const fn from_byte(byte: u8) -> Option<Self> {
                match byte { $($byte => Some(Self::$variant),)+ _ => None }
            }

            /// Returns the type byte.
            #[must_use]
            pub const fn byte(self) -> u8 {
                match self { $(Self::$variant => $byte,)+ }
            }

            /// Returns the name users see.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// Finds a kind by its name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

kinds! {
    Intent b'i' "intent" "What a user means to do.";
    Features b'f' "features" "A vector of features.";
    ToolRequest b't' "tool_request" "A call of a tool.";
    Ack b'a' "ack" "The reply to a request.";
    Auth b'A' "auth" "ClientHello.";
    Challenge b'H' "challenge" "ServerHello.";
    AuthResponse b'R' "auth_response" "ClientFinish and SessionAccept.";
    PolicyResult b'p' "policy_result" "The outcome of a policy decision.";
    Heartbeat b'h' "heartbeat" "A sign of life.";
    Audit b'u' "audit" "An audit record.";
    Chat b'c' "chat" "A chat message.";
    Complete b'C' "complete" "A request for completion.";
    Close b'X' "close" "Authenticated close, a control frame.";
    Alert b'E' "alert" "The one alert before a connection is given up, a control frame.";
    Segment b'S' "segment" "Hand-over of shared memory, a control frame.";
}

impl Kind {
    /// Tells whether this is one of the three handshake types.
    #[must_use]
    pub const fn is_handshake(self) -> bool {
        matches!(self, Self::Auth | Self::Challenge | Self::AuthResponse)
    }

    /// Tells whether this is one of the control types of EIPC/2.
    #[must_use]
    pub const fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Alert | Self::Segment)
    }

    /// Tells whether applications may send this kind.
    #[must_use]
    pub const fn is_application(self) -> bool {
        !self.is_handshake() && !self.is_control()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byte_and_name_lead_back_to_the_kind() {
        assert_eq!(Kind::ALL.len(), 15);
        for &kind in Kind::ALL {
            assert_eq!(Kind::from_byte(kind.byte()), Some(kind));
            assert_eq!(Kind::from_name(kind.name()), Some(kind));
        }
        let known = (0..=255).filter(|&byte| Kind::from_byte(byte).is_some()).count();
        assert_eq!(known, 15);
    }

    #[test]
    fn the_application_kinds_are_those_of_the_wire_text() {
        let bytes: Vec<u8> =
            Kind::ALL.iter().filter(|kind| kind.is_application()).map(|k| k.byte()).collect();
        assert_eq!(bytes, b"iftaphucC");
    }
}
