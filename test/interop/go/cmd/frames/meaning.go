package main

import (
	"crypto/sha256"
	"encoding/hex"
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"time"

	"eipc-interop/v1"
)

// meaning is what a frame says, in a line of JSON.
type meaning struct {
	Type    string    `json:"type"`
	Flags   byte      `json:"flags"`
	Header  v1.Header `json:"header"`
	UnixNs  string    `json:"unixNs"`  // the header's time, or the nearest there is in 64 bits
	Payload string    `json:"payload"` // SHA-256
	// Differences are what EIPC refuses in it (package differences).
	Differences []string `json:"differences"`
	// Again tells whether these values, encoded once more, are the same bytes.
	Again bool `json:"again"`
	// Refused says why Go does not take the frame; then there is nothing else.
	Refused string `json:"refused,omitempty"`
}

func meaningOf(frame v1.Frame) meaning {
	digest := sha256.Sum256(frame.Payload)
	return meaning{
		Type:    string([]byte{frame.Type}),
		Flags:   frame.Flags,
		Header:  frame.Header,
		UnixNs:  nanoseconds(frame.Header.Timestamp),
		Payload: hex.EncodeToString(digest[:]),
	}
}

// beyond are the digits of a fraction behind the ninth, which package time drops too, but in older versions of Go refuses.
var beyond = regexp.MustCompile(`(\.[0-9]{9})[0-9]+`)

// nanoseconds reads a time with the means of Go. Empty for what it cannot read.
func nanoseconds(text string) string {
	seconds, nanos := int64(0), int64(0)
	if number, err := strconv.ParseInt(text, 10, 64); err == nil {
		seconds = number
	} else {
		// RFC 3339 allows small letters, package time does not.
		moment, err := time.Parse(time.RFC3339Nano, beyond.ReplaceAllString(strings.ToUpper(text), "$1"))
		if err != nil {
			return ""
		}
		seconds, nanos = moment.Unix(), int64(moment.Nanosecond())
	}
	sum := new(big.Int).Mul(big.NewInt(seconds), big.NewInt(1e9))
	sum.Add(sum, big.NewInt(nanos))
	if least := big.NewInt(math.MinInt64); sum.Cmp(least) < 0 {
		sum = least
	}
	if most := big.NewInt(math.MaxInt64); sum.Cmp(most) > 0 {
		sum = most
	}
	return sum.String()
}
