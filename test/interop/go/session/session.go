// Package session is one end of a connection of EIPC v1 over any implementation: it counts what it sends and logs in, in either role.
package session

import (
	"time"

	"eipc-interop/v1"
)

// Session is one end of a connection.
type Session struct {
	Implementation v1.Implementation
	Transport      v1.Transport
	Key            []byte
	// ID is what this end calls itself.
	ID string
	// Token is what the login gave; empty without one.
	Token  string
	sent   uint64
	replay v1.Replay
}

// New makes an end that has sent and seen nothing. Like the original, a client does not look at what it is sent twice.
func New(implementation v1.Implementation, transport v1.Transport, key []byte, id string, isServer bool) *Session {
	s := &Session{Implementation: implementation, Transport: transport, Key: key, ID: id}
	if isServer {
		s.replay = implementation.NewReplay()
	}
	return s
}

// Next returns a signed frame with the next number of this end.
func (s *Session) Next(kind byte, payload []byte) v1.Frame {
	s.sent++
	return v1.Frame{
		Type:  kind,
		Flags: v1.FlagMAC,
		Header: v1.Header{
			ServiceID: s.ID,
			SessionID: s.Token,
			Sequence:  s.sent,
			Timestamp: time.Now().Format(time.RFC3339Nano),
		},
		Payload: payload,
	}
}

// Send sends a frame.
func (s *Session) Send(frame v1.Frame) error {
	bytes, err := s.Implementation.Encode(frame, s.Key)
	if err != nil {
		return err
	}
	return s.Transport.Send(bytes)
}

// Read takes a received frame apart, and on a server refuses replays.
func (s *Session) Read(bytes []byte) (v1.Frame, error) {
	frame, err := s.Implementation.Decode(bytes, s.Key)
	if err != nil {
		return frame, err
	}
	if s.replay != nil {
		return frame, s.replay.Check(frame.Header.Sequence)
	}
	return frame, nil
}

// Receive waits for a frame.
func (s *Session) Receive() (v1.Frame, error) {
	bytes, err := s.Transport.Receive()
	if err != nil {
		return v1.Frame{}, err
	}
	return s.Read(bytes)
}
