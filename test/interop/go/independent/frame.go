package independent

import (
	"crypto/hmac"
	"encoding/binary"
	"errors"
	"fmt"

	"eipc-interop/v1"
)

const (
	magic        = "EIPC"
	version      = 1
	preambleSize = 16
	tagSize      = 32
	// maxFrameSize is what the original's sender allows for header and payload together, and its receiver for the whole frame.
	maxFrameSize = 1 << 20
)

func (implementation) Encode(frame v1.Frame, key []byte) ([]byte, error) {
	text, err := marshalHeader(frame.Header)
	if err != nil {
		return nil, err
	}
	if len(text)+len(frame.Payload) > maxFrameSize {
		return nil, fmt.Errorf("header %d + payload %d bytes are above %d", len(text), len(frame.Payload), maxFrameSize)
	}
	bytes := make([]byte, preambleSize, preambleSize+len(text)+len(frame.Payload)+tagSize)
	copy(bytes, magic)
	binary.BigEndian.PutUint16(bytes[4:], version)
	bytes[6] = frame.Type
	bytes[7] = frame.Flags
	binary.BigEndian.PutUint32(bytes[8:], uint32(len(text)))
	binary.BigEndian.PutUint32(bytes[12:], uint32(len(frame.Payload)))
	bytes = append(append(bytes, text...), frame.Payload...)
	if frame.Flags&v1.FlagMAC != 0 {
		bytes = append(bytes, tag(key, bytes)...)
	}
	return bytes, nil
}

func (implementation) Decode(bytes, key []byte) (v1.Frame, error) {
	if len(bytes) < preambleSize {
		return v1.Frame{}, fmt.Errorf("%d bytes are no frame", len(bytes))
	}
	if string(bytes[:4]) != magic {
		return v1.Frame{}, fmt.Errorf("magic %x", bytes[:4])
	}
	if found := binary.BigEndian.Uint16(bytes[4:]); found != version {
		return v1.Frame{}, fmt.Errorf("version %d", found)
	}
	headerEnd := preambleSize + uint64(binary.BigEndian.Uint32(bytes[8:]))
	signedEnd := headerEnd + uint64(binary.BigEndian.Uint32(bytes[12:]))
	frame := v1.Frame{Type: bytes[6], Flags: bytes[7]}
	end := signedEnd
	if frame.Flags&v1.FlagMAC != 0 {
		end += tagSize
	}
	if uint64(len(bytes)) < end {
		return v1.Frame{}, fmt.Errorf("%d of %d bytes", len(bytes), end)
	}
	// Only where the frame asks for it, and whatever is behind it: both as the original.
	if frame.Flags&v1.FlagMAC != 0 && !hmac.Equal(bytes[signedEnd:end], tag(key, bytes[:signedEnd])) {
		return v1.Frame{}, errors.New("wrong tag")
	}
	fields, err := unmarshalHeader(bytes[preambleSize:headerEnd])
	if err != nil {
		return v1.Frame{}, err
	}
	frame.Header = fields
	frame.Payload = bytes[headerEnd:signedEnd]
	return frame, nil
}
