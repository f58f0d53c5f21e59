package independent

import (
	"encoding/json"
	"fmt"

	"eipc-interop/v1"
)

// header is the JSON object in front of every payload. The order of the fields is the order on the wire, and what encoding/json makes of
// them is what the original writes: <, >, &, U+2028 and U+2029 escaped, empty capability and route left out.
type header struct {
	ServiceID     string `json:"service_id"`
	SessionID     string `json:"session_id"`
	RequestID     string `json:"request_id"`
	Sequence      uint64 `json:"sequence"`
	Timestamp     string `json:"timestamp"`
	Priority      uint8  `json:"priority"`
	Capability    string `json:"capability,omitempty"`
	Route         string `json:"route,omitempty"`
	PayloadFormat uint8  `json:"payload_format"`
}

func marshalHeader(fields v1.Header) ([]byte, error) { return json.Marshal(header(fields)) }

// unmarshalHeader has all the habits of encoding/json: keys match in any case, the last duplicate wins, what is missing or null is zero,
// unknown keys are ignored, lone surrogates and invalid UTF-8 become U+FFFD.
func unmarshalHeader(text []byte) (v1.Header, error) {
	var fields header
	if err := json.Unmarshal(text, &fields); err != nil {
		return v1.Header{}, fmt.Errorf("header: %w", err)
	}
	return v1.Header(fields), nil
}
