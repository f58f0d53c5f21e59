// Package v1 is the seam between the programs and an implementation of EIPC v1: what they need of one, and nothing else.
//
// The implementation there is now is eipc-interop/independent, with the standard library only. The original's module would be a second
// one behind the same interface; README.md says what it lacks.
package v1

// FlagMAC is the flag of a frame with a tag.
const FlagMAC byte = 0x01

// Header is the header of a frame. Its JSON form on the wire is the implementation's affair; the tags are for talking to the tests, where a
// number of 64 bits is a string.
type Header struct {
	ServiceID     string `json:"service_id"`
	SessionID     string `json:"session_id"`
	RequestID     string `json:"request_id"`
	Sequence      uint64 `json:"sequence,string"`
	Timestamp     string `json:"timestamp"` // as it is written: RFC 3339, or decimal seconds
	Priority      uint8  `json:"priority"`
	Capability    string `json:"capability"`
	Route         string `json:"route"`
	PayloadFormat uint8  `json:"payload_format"`
}

// Frame is a frame without its tag.
type Frame struct {
	Type    byte
	Flags   byte
	Header  Header
	Payload []byte
}

// Implementation is one program's code of v1.
type Implementation interface {
	// Name says whose code this is.
	Name() string
	// Encode returns the bytes of a frame, without the length that streams have in front. The frame's flag says whether it gets a tag.
	Encode(frame Frame, key []byte) ([]byte, error)
	// Decode takes bytes apart, as leniently as the original does.
	Decode(bytes, key []byte) (Frame, error)
	// Answer returns what a client proves itself with, for the bytes of a nonce.
	Answer(key, nonce []byte) []byte
	// NewReplay returns a tracker that has seen nothing.
	NewReplay() Replay
	// Dial connects. The network is "tcp" or "unix".
	Dial(network, address string) (Transport, error)
	// Listen waits for connections.
	Listen(network, address string) (Listener, error)
}

// Transport carries whole frames.
type Transport interface {
	Send(frame []byte) error
	// Receive returns the next frame, or io.EOF when the peer's stream has ended between two frames.
	Receive() ([]byte, error)
	// SendRaw writes bytes as they are, for frames that no sender of the implementation would write.
	SendRaw(bytes []byte) error
	Close() error
}

// Listener hands out connections.
type Listener interface {
	Accept() (Transport, error)
	// Address is where it listens, as Dial takes it.
	Address() string
	Close() error
}

// Replay decides whether a sequence number is new.
type Replay interface {
	// Check returns an error for a number that was seen or is too old, and remembers any other.
	Check(sequence uint64) error
}
