package differences

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
)

// maxDepth is the deepest nesting; the outer object is 1.
const maxDepth = 4

// known maps the folded names of a header's fields to how they are written.
var known = map[string]string{}

func init() {
	for _, name := range []string{
		"service_id", "session_id", "request_id", "sequence", "timestamp", "priority", "capability", "route", "payload_format",
	} {
		known[foldCase(name)] = name
	}
}

// text is what was found in a JSON text that encoding/json takes.
type text struct {
	found map[string]bool
	// keys are those of the outer object, as they are written.
	keys    map[string]bool
	decoder *json.Decoder
	bytes   []byte
}

func read(raw []byte) *text {
	t := &text{map[string]bool{}, map[string]bool{}, json.NewDecoder(bytes.NewReader(raw)), raw}
	t.decoder.UseNumber()
	token := t.next()
	if token != json.Delim('{') {
		t.found[NoObject] = true
		t.value(token, 1)
		return t
	}
	t.object(1)
	return t
}

// next returns the next token. A string is looked at as it was written, because encoding/json replaces what it does not like.
func (t *text) next() json.Token {
	before := t.decoder.InputOffset()
	token, err := t.decoder.Token()
	if err != nil {
		// The caller has decoded the same text already.
		panic(err)
	}
	if _, isString := token.(string); isString {
		raw := t.bytes[before:t.decoder.InputOffset()]
		t.string(raw[bytes.IndexByte(raw, '"'):])
	}
	return token
}

func (t *text) object(depth int) {
	t.found[Depth] = t.found[Depth] || depth > maxDepth
	folded := map[string]bool{}
	for t.decoder.More() {
		key := t.next().(string)
		fold := foldCase(key)
		t.found[DuplicateKey] = t.found[DuplicateKey] || folded[fold]
		folded[fold] = true
		if depth == 1 {
			name, resembles := known[fold]
			t.found[Spelling] = t.found[Spelling] || (resembles && name != key)
			t.keys[key] = true
		}
		t.value(t.next(), depth)
	}
	t.next()
}

func (t *text) value(token json.Token, depth int) {
	switch value := token.(type) {
	case nil:
		t.found[Null] = true
	case json.Number:
		t.found[Number] = t.found[Number] || !isPlain(value.String())
	case json.Delim:
		if value == '{' {
			t.object(depth + 1)
			return
		}
		t.found[Depth] = t.found[Depth] || depth+1 > maxDepth
		for t.decoder.More() {
			t.value(t.next(), depth+1)
		}
		t.next()
	}
}

// isPlain tells whether a number is digits, below 2^64.
func isPlain(number string) bool {
	_, err := strconv.ParseUint(number, 10, 64)
	return err == nil
}

var escape = regexp.MustCompile(`\\(?:u([0-9a-fA-F]{4})|.)`)

// string looks for escapes of half a pair and of NUL.
func (t *text) string(raw []byte) {
	end := 0
	var high rune
	for _, at := range escape.FindAllSubmatchIndex(raw, -1) {
		follows := at[0] == end
		end = at[1]
		var unit rune
		if at[2] >= 0 {
			value, _ := strconv.ParseUint(string(raw[at[2]:at[3]]), 16, 16)
			unit = rune(value)
			t.found[NUL] = t.found[NUL] || unit == 0
		}
		isLow := unit >= 0xdc00 && unit < 0xe000
		if high != 0 && follows && isLow {
			high = 0
			continue
		}
		t.found[Surrogate] = t.found[Surrogate] || high != 0 || isLow
		high = 0
		if utf16.IsSurrogate(unit) && !isLow {
			high = unit
		}
	}
	t.found[Surrogate] = t.found[Surrogate] || high != 0
}

// foldCase maps texts that differ in case only to the same one, by Unicode's simple folding.
func foldCase(key string) string {
	return strings.Map(func(r rune) rune {
		smallest := r
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			if other < smallest {
				smallest = other
			}
		}
		return smallest
	}, key)
}
