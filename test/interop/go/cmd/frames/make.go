package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand"
	"strconv"
	"strings"
	"time"

	"eipc-interop/v1"
)

const (
	types = "iftaAHRphucC"
	// largeEvery is how many frames there are for each one of the largest size.
	largeEvery = 5000
)

// makeFrames writes frames that any reader has to take.
func makeFrames(seed int64, count int, key []byte, out io.Writer, values io.Writer) error {
	random := rand.New(rand.NewSource(seed))
	lines := json.NewEncoder(values)
	for i := 0; i < count; i++ {
		frame := v1.Frame{Type: types[random.Intn(len(types))], Header: randomHeader(random), Payload: make([]byte, size(random))}
		if random.Intn(20) != 0 {
			frame.Flags = v1.FlagMAC
		}
		bytes, err := implementation.Encode(frame, key)
		if err != nil {
			return err
		}
		if i%largeEvery == largeEvery-1 {
			frame.Payload = make([]byte, maxFrameSize-(len(bytes)-len(frame.Payload))-random.Intn(2))
		}
		random.Read(frame.Payload)
		if bytes, err = implementation.Encode(frame, key); err != nil {
			return err
		}
		if _, err := out.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(bytes))), bytes...)); err != nil {
			return err
		}
		if err := lines.Encode(meaningOf(frame)); err != nil {
			return err
		}
	}
	return nil
}

func randomHeader(random *rand.Rand) v1.Header {
	return v1.Header{
		ServiceID:     text(random),
		SessionID:     text(random),
		RequestID:     text(random),
		Sequence:      number(random),
		Timestamp:     moment(random),
		Priority:      uint8(random.Intn(4)),
		Capability:    text(random),
		Route:         text(random),
		PayloadFormat: uint8(random.Intn(2)),
	}
}

// size is mostly small, as messages are.
func size(random *rand.Rand) int {
	most := []int{0, 1, 64, 64, 512, 4096}[random.Intn(6)]
	return random.Intn(most + 1)
}

// number has every length of bits.
func number(random *rand.Rand) uint64 {
	switch random.Intn(20) {
	case 0:
		return math.MaxUint64
	case 1:
		return 1<<53 + uint64(random.Intn(3)) - 1
	default:
		return random.Uint64() >> random.Intn(64)
	}
}

// odd are the characters that JSON encoders treat in ways of their own.
var odd = []rune("<>&\u2028\u2029\"\\/\b\f\n\r\t\v\x01\x1f\x7f\u0080\u00a0\ufeff\ufffd\uffff\U0001f9e0\U0010ffffſKß")

// text has no NUL and no surrogates, which are not equally readable everywhere; all else it has.
func text(random *rand.Rand) string {
	most := []int{0, 8, 8, 32, 64, 100}[random.Intn(6)]
	var b strings.Builder
	for n := random.Intn(most + 1); n > 0; n-- {
		switch random.Intn(8) {
		case 0:
			b.WriteRune(odd[random.Intn(len(odd))])
		case 1:
			if r := rune(1 + random.Intn(0x10ffff)); r < 0xd800 || r > 0xdfff {
				b.WriteRune(r)
			}
		default:
			b.WriteByte("abcdefghijklmnopqrstuvwxyz0123456789.:-_"[random.Intn(40)])
		}
	}
	return b.String()
}

// moment is a time as Go programs write it, in any zone and year that RFC 3339 has, or seconds as the C SDK writes them.
func moment(random *rand.Rand) string {
	switch random.Intn(10) {
	case 0:
		return strconv.FormatInt(random.Int63n(100_000_000_000), 10)
	case 1:
		return fmt.Sprint(random.Intn(1000))
	case 2: // the ends of 64 bits of nanoseconds
		edge := time.Unix(0, []int64{math.MinInt64, math.MaxInt64}[random.Intn(2)]).UTC()
		return edge.Add(time.Duration(random.Int63n(4e9) - 2e9)).Format(time.RFC3339Nano)
	}
	zone := time.UTC
	if random.Intn(2) == 0 {
		zone = time.FixedZone("", (random.Intn(2*1439+1)-1439)*60)
	}
	seconds := 1_700_000_000 + random.Int63n(200_000_000)
	if random.Intn(4) == 0 {
		seconds = random.Int63n(315_000_000_000) - 62_100_000_000
	}
	nanos := []int64{0, 1, 500_000_000, 123_000_000, random.Int63n(1e9)}[random.Intn(5)]
	return time.Unix(seconds, nanos).In(zone).Format(time.RFC3339Nano)
}
