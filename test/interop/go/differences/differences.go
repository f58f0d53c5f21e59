// Package differences names what EIPC refuses in a frame that the original's reader takes: every hardening that shows in a single frame
// (docs/compatibility.md has a line for each name). It is a second reading of docs/wire.md, from the bytes alone.
package differences

import (
	"encoding/binary"
	"strings"

	"eipc-interop/v1"
)

// The names, in the order in which EIPC looks: the first one decides the code.
const (
	Flags         = "flags"
	Unsigned      = "unsigned"
	HeaderLength  = "header-length"
	TrailingBytes = "trailing-bytes"
	UnknownType   = "unknown-type"
	// Below are those of the header, which all have one code.
	NoObject      = "no-object"
	InvalidUTF8   = "invalid-utf8"
	Surrogate     = "lone-surrogate"
	NUL           = "nul"
	Null          = "null"
	Depth         = "depth"
	Number        = "number"
	DuplicateKey  = "duplicate-key"
	Spelling      = "spelling"
	MissingKey    = "missing-key"
	Priority      = "priority"
	PayloadFormat = "payload-format"
	Timestamp     = "timestamp"
)

// All are the names there are.
var All = []string{
	Flags, Unsigned, HeaderLength, TrailingBytes, UnknownType, NoObject, InvalidUTF8, Surrogate, NUL, Null, Depth, Number, DuplicateKey,
	Spelling, MissingKey, Priority, PayloadFormat, Timestamp,
}

const (
	types        = "iftaAHRphucC"
	maxHeader    = 4096
	preambleSize = 16
	tagSize      = 32
)

// Of returns the names that apply to bytes which the original's reader took for the frame.
func Of(bytes []byte, frame v1.Frame) []string {
	var found []string
	note := func(name string, applies bool) {
		if applies {
			found = append(found, name)
		}
	}
	headerEnd := preambleSize + int(binary.BigEndian.Uint32(bytes[8:]))
	end := headerEnd + len(frame.Payload)
	if frame.Flags&v1.FlagMAC != 0 {
		end += tagSize
	}
	note(Flags, frame.Flags&^v1.FlagMAC != 0)
	note(Unsigned, frame.Flags&v1.FlagMAC == 0)
	note(HeaderLength, headerEnd-preambleSize > maxHeader)
	note(TrailingBytes, len(bytes) > end)
	note(UnknownType, !strings.ContainsRune(types, rune(frame.Type)))
	return append(found, ofHeader(bytes[preambleSize:headerEnd], frame.Header)...)
}
