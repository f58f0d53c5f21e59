package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
)

// sending is a frame to send. What is left out is what the next honest frame of the session would have.
type sending struct {
	Type    string          `json:"type"`
	Header  json.RawMessage `json:"header"`
	Payload []byte          `json:"payload"`
	Lies    *lies           `json:"lies"`
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
	if err := json.Unmarshal(s.Header, &frame.Header); err != nil {
		return nil, err
	}
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
