package independent

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"eipc-interop/differences"
	"eipc-interop/v1"
)

// The vectors were made by programs that share no code with this package either. What it writes has to be theirs, byte for byte.

func load(t *testing.T, name string, into interface{}) {
	t.Helper()
	text, err := os.ReadFile("../../../vectors/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatal(err)
	}
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	bytes, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return bytes
}

func TestFramesAreThoseOfTheVectors(t *testing.T) {
	var file struct {
		Vectors []struct {
			Name       string
			TypeByte   string `json:"type_byte"`
			Flags      byte
			Header     v1.Header
			PayloadHex string `json:"payload_hex"`
			KeyHex     string `json:"key_hex"`
			FrameHex   string `json:"frame_hex"`
		}
	}
	load(t, "frames.json", &file)
	if len(file.Vectors) == 0 {
		t.Fatal("no vectors")
	}
	for _, vector := range file.Vectors {
		t.Run(vector.Name, func(t *testing.T) {
			key := unhex(t, vector.KeyHex)
			frame := v1.Frame{Type: vector.TypeByte[0], Flags: vector.Flags, Header: vector.Header, Payload: unhex(t, vector.PayloadHex)}
			bytes, err := Implementation.Encode(frame, key)
			if err != nil || hex.EncodeToString(bytes) != vector.FrameHex {
				t.Fatalf("%x (%v) instead of %s", bytes, err, vector.FrameHex)
			}
			decoded, err := Implementation.Decode(bytes, key)
			if err != nil || decoded.Header != frame.Header || string(decoded.Payload) != string(frame.Payload) {
				t.Fatalf("%+v (%v) instead of %+v", decoded, err, frame)
			}
		})
	}
}

// What a strict receiver refuses is refused here too, or has a name in package differences.
func TestRejectsAreRefusedOrNamed(t *testing.T) {
	var file struct {
		KeyHex string `json:"key_hex"`
		Cases  []struct {
			Name     string
			FrameHex string `json:"frame_hex"`
		}
	}
	load(t, "rejects.json", &file)
	named := map[string]string{
		"trailing-bytes":        differences.TrailingBytes,
		"hmac-flag-stripped":    differences.Unsigned,
		"header-duplicate-key":  differences.DuplicateKey,
		"priority-out-of-range": differences.Priority,
	}
	for _, reject := range file.Cases {
		bytes := unhex(t, reject.FrameHex)
		frame, err := Implementation.Decode(bytes, unhex(t, file.KeyHex))
		name := named[reject.Name]
		if err != nil {
			if name != "" {
				t.Errorf("%s: %v, where the original takes it", reject.Name, err)
			}
			continue
		}
		found := differences.Of(bytes, frame)
		if len(found) == 0 || found[0] != name {
			t.Errorf("%s: taken, with the differences %v instead of %q", reject.Name, found, name)
		}
	}
}

// The vectors have the strict rule; the original takes one number more, the one that is as far behind as the window is wide.
func TestReplayDiffersFromTheVectorsInOneNumber(t *testing.T) {
	tracker := Implementation.NewReplay()
	for _, step := range []struct {
		sequence uint64
		isNew    bool
	}{{1, true}, {1000, true}, {1000, false}, {873, true}, {872, true}, {872, false}, {871, false}, {1001, true}, {872, false}} {
		if err := tracker.Check(step.sequence); (err == nil) != step.isNew {
			t.Errorf("%d: %v", step.sequence, err)
		}
	}
}
