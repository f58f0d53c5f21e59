package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"io"

	"eipc-interop/differences"
)

// maxFrameSize is what a receiver takes from a stream.
const maxFrameSize = 1 << 20

// judge reads frames until the end, and writes a line for each.
func judge(key []byte, in io.Reader, out io.Writer) error {
	lines := json.NewEncoder(out)
	for {
		var prefix [4]byte
		if _, err := io.ReadFull(in, prefix[:]); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		frame := make([]byte, binary.BigEndian.Uint32(prefix[:]))
		if _, err := io.ReadFull(in, frame); err != nil {
			return err
		}
		if err := lines.Encode(judged(frame, key)); err != nil {
			return err
		}
	}
}

func judged(frame, key []byte) meaning {
	if len(frame) > maxFrameSize {
		return meaning{Refused: "too large for a receiver"}
	}
	decoded, err := implementation.Decode(frame, key)
	if err != nil {
		return meaning{Refused: err.Error()}
	}
	m := meaningOf(decoded)
	m.Differences = differences.Of(frame, decoded)
	again, err := implementation.Encode(decoded, key)
	m.Again = err == nil && bytes.Equal(again, frame)
	return m
}
