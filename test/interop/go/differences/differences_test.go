package differences

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"eipc-interop/v1"
)

const good = `"service_id":"a","sequence":1,"timestamp":"0","priority":0`

func TestEachNameAppliesToItsOwnTextOnly(t *testing.T) {
	for text, names := range map[string]string{
		`{` + good + `}`: "",
		` {` + good + `,"x":[{"y":[true]}],"z":"\u00e9"} `:                        "",
		`{` + good + `,"capabilit\u0079":"\ud83e\udde0"}`:                         "",
		`{` + good + `,"x":"\\ud83e"}`:                                            "",
		`{` + good + `,"x":"\ud83e"}`:                                             Surrogate,
		`{` + good + `,"x":"\ud83ea\udde0"}`:                                      Surrogate,
		`{` + good + `,"x":"\udde0\ud83e"}`:                                       Surrogate,
		`{` + good + `,"\u0000":1}`:                                               NUL,
		`{` + good + `,"x":"` + "\xff" + `"}`:                                     InvalidUTF8,
		`{` + good + `,"x":[null]}`:                                               Null,
		`{` + good + `,"x":[[[1]]]}`:                                              "",
		`{` + good + `,"x":[[[[]]]]}`:                                             Depth,
		`{` + good + `,"x":[{"y":[{}]}]}`:                                         Depth,
		`{` + good + `,"x":1.5}`:                                                  Number,
		`{` + good + `,"x":-1}`:                                                   Number,
		`{` + good + `,"x":18446744073709551616}`:                                 Number,
		`{` + good + `,"x":18446744073709551615}`:                                 "",
		`{` + good + `,"x":1,"X":2}`:                                              DuplicateKey,
		`{` + good + `,"x":[{"ß":1,"ẞ":2}]}`:                                      DuplicateKey,
		`{` + good + `,"x":1,"y":{"x":1}}`:                                        "",
		`{` + good + `,"ı":1,"İ":2,"i":3}`:                                        "",
		`{` + good + `,"Route":"x"}`:                                              Spelling,
		`{` + good + `,"x":{"Route":"x"}}`:                                        "",
		`{"sequence":1,"timestamp":"0","priority":0}`:                             MissingKey,
		`{` + good + `,"payload_format":2}`:                                       PayloadFormat,
		`null`:                                                                    NoObject + " " + Null + " " + MissingKey,
		strings.Replace(`{`+good+`}`, `"priority":0`, `"priority":4`, 1):          Priority,
		strings.Replace(`{`+good+`}`, `"timestamp":"0"`, `"timestamp":"noon"`, 1): Timestamp,
	} {
		var fields struct {
			Timestamp     string
			Priority      uint8
			PayloadFormat uint8 `json:"payload_format"`
		}
		if err := json.Unmarshal([]byte(text), &fields); err != nil {
			t.Fatal(text, err)
		}
		header := v1.Header{Timestamp: fields.Timestamp, Priority: fields.Priority, PayloadFormat: fields.PayloadFormat}
		found := ofHeader([]byte(text), header)
		if wanted := strings.Fields(names); len(found)+len(wanted) > 0 && !reflect.DeepEqual(found, wanted) {
			t.Errorf("%s: %v instead of %v", text, found, wanted)
		}
	}
}

func TestTimesAreOfTheTwoForms(t *testing.T) {
	for _, text := range []string{"0", "99999999999", "2026-04-03T12:00:00Z", "2024-02-29t23:59:59.1234567891+23:59", "0000-01-01T00:00:00z"} {
		if !IsTime(text) {
			t.Error(text)
		}
	}
	for _, text := range []string{
		"", "-1", "100000000000", "noon", "2026-02-29T12:00:00Z", "2026-04-03T24:00:00Z", "2016-12-31T23:59:60Z", "2026-04-03T12:00:00",
		"2026-04-03T12:00:00,5Z", "2026-04-03T12:00:00+24:00", "2026-04-03 12:00:00Z", "2026-04-03T12:00:00Z\n",
	} {
		if IsTime(text) {
			t.Error(text)
		}
	}
}
