package differences

import (
	"regexp"
	"time"
	"unicode/utf8"

	"eipc-interop/v1"
)

// ofHeader looks at a header twice: at its text, and at what encoding/json made of it.
func ofHeader(text []byte, fields v1.Header) []string {
	t := read(text)
	var found []string
	for _, name := range All {
		if t.found[name] {
			found = append(found, name)
		}
	}
	if !utf8.Valid(text) {
		found = append(found, InvalidUTF8)
	}
	for _, key := range []string{"service_id", "sequence", "timestamp", "priority"} {
		if !t.keys[key] {
			found = append(found, MissingKey)
			break
		}
	}
	if fields.Priority > 3 {
		found = append(found, Priority)
	}
	if fields.PayloadFormat > 1 {
		found = append(found, PayloadFormat)
	}
	if t.keys["timestamp"] && !IsTime(fields.Timestamp) {
		found = append(found, Timestamp)
	}
	return found
}

var (
	seconds = regexp.MustCompile(`^[0-9]{1,11}$`)
	rfc3339 = regexp.MustCompile(`^([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]+)?(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])$`)
)

// IsTime tells whether a text is one of the two forms of time, with a day that exists.
func IsTime(text string) bool {
	if seconds.MatchString(text) {
		return true
	}
	parts := rfc3339.FindStringSubmatch(text)
	if parts == nil {
		return false
	}
	_, err := time.Parse("2006-01-02", parts[1])
	return err == nil
}
