// Package independent is EIPC v1 with the standard library only, written from the protocol's facts (docs/wire.md, "v1, hardened", and
// docs/compatibility.md). It shares no code with the package it is tested against, and none with the original.
//
// It reads as leniently as the original does, because that is the peer to be compatible with: encoding/json decides what a header says, a
// tag is verified only where the frame's own flag asks for it, and bytes behind a frame are ignored. It is no example to follow.
package independent

import (
	"crypto/hmac"
	"crypto/sha256"

	"eipc-interop/v1"
)

type implementation struct{}

// Implementation is this package behind the seam.
var Implementation v1.Implementation = implementation{}

func (implementation) Name() string { return "independent peer of the Go standard library" }

func (implementation) Answer(key, nonce []byte) []byte { return tag(key, nonce) }

func tag(key, bytes []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write(bytes)
	return mac.Sum(nil)
}
