package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"

	"eipc-interop/v1"
)

// headerFields is a header in a command and in an answer; a number of 64 bits is a string in JSON.
type headerFields struct {
	ServiceID     *string `json:"service_id,omitempty"`
	SessionID     *string `json:"session_id,omitempty"`
	RequestID     *string `json:"request_id,omitempty"`
	Sequence      *uint64 `json:"sequence,omitempty,string"`
	Timestamp     *string `json:"timestamp,omitempty"`
	Priority      *uint8  `json:"priority,omitempty"`
	Capability    *string `json:"capability,omitempty"`
	Route         *string `json:"route,omitempty"`
	PayloadFormat *uint8  `json:"payload_format,omitempty"`
}

// sending is a frame to send. What is left out is what the next honest frame of the session would have.
type sending struct {
	Type    string       `json:"type"`
	Header  headerFields `json:"header"`
	Payload []byte       `json:"payload"`
	Lies    *lies        `json:"lies"`
}

// lies change a frame behind the back of the implementation, which could not be brought to write it.
type lies struct {
	Header        []byte  `json:"header"` // instead of the JSON
	Magic         string  `json:"magic"`
	Version       *uint16 `json:"version"`
	Flags         *uint8  `json:"flags"`
	HeaderLength  *uint32 `json:"headerLength"`
	PayloadLength *uint32 `json:"payloadLength"`
	Key           []byte  `json:"key"` // signs with another key
	NoTag         bool    `json:"noTag"`
	Behind        []byte  `json:"behind"` // bytes behind the tag, inside of the prefix
	Prefix        *uint32 `json:"prefix"`
}

// build returns the next frame with its length in front.
func (c *connection) build(s sending) ([]byte, error) {
	frame := c.Next(s.Type[0], s.Payload)
	s.Header.apply(&frame.Header)
	bytes, err := implementation.Encode(frame, c.Key)
	if err != nil {
		return nil, err
	}
	length := uint32(len(bytes))
	if s.Lies != nil {
		bytes = s.Lies.tell(bytes, s.Payload, c.Key)
		length = uint32(len(bytes))
		if s.Lies.Prefix != nil {
			length = *s.Lies.Prefix
		}
	}
	return append(binary.BigEndian.AppendUint32(nil, length), bytes...), nil
}

func (l *lies) tell(frame, payload, key []byte) []byte {
	preamble := append([]byte{}, frame[:16]...)
	header := frame[16 : 16+binary.BigEndian.Uint32(frame[8:])]
	if l.Header != nil {
		header = l.Header
		binary.BigEndian.PutUint32(preamble[8:], uint32(len(header)))
	}
	copy(preamble, l.Magic)
	if l.Version != nil {
		binary.BigEndian.PutUint16(preamble[4:], *l.Version)
	}
	if l.Flags != nil {
		preamble[7] = *l.Flags
	}
	if l.HeaderLength != nil {
		binary.BigEndian.PutUint32(preamble[8:], *l.HeaderLength)
	}
	if l.PayloadLength != nil {
		binary.BigEndian.PutUint32(preamble[12:], *l.PayloadLength)
	}
	bytes := append(append(preamble, header...), payload...)
	if !l.NoTag {
		if l.Key != nil {
			key = l.Key
		}
		mac := hmac.New(sha256.New, key)
		mac.Write(bytes)
		bytes = mac.Sum(bytes)
	}
	return append(bytes, l.Behind...)
}

func (f headerFields) apply(header *v1.Header) {
	for _, text := range []struct {
		given *string
		field *string
	}{
		{f.ServiceID, &header.ServiceID},
		{f.SessionID, &header.SessionID},
		{f.RequestID, &header.RequestID},
		{f.Timestamp, &header.Timestamp},
		{f.Capability, &header.Capability},
		{f.Route, &header.Route},
	} {
		if text.given != nil {
			*text.field = *text.given
		}
	}
	if f.Sequence != nil {
		header.Sequence = *f.Sequence
	}
	if f.Priority != nil {
		header.Priority = *f.Priority
	}
	if f.PayloadFormat != nil {
		header.PayloadFormat = *f.PayloadFormat
	}
}

func fields(h v1.Header) headerFields {
	return headerFields{
		&h.ServiceID, &h.SessionID, &h.RequestID, &h.Sequence, &h.Timestamp, &h.Priority, &h.Capability, &h.Route, &h.PayloadFormat,
	}
}
