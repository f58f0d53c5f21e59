// Command peer is a client and a server of EIPC v1 on strings: it reads commands, one JSON object a line, and answers each by one line.
// The tests say what happens (test/interop/go-*.test.ts); this program is what it happens with.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"eipc-interop/independent"
	"eipc-interop/v1"
)

// The one place that says whose code the programs run.
var implementation v1.Implementation = independent.Implementation

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	lines := json.NewDecoder(bufio.NewReader(in))
	answers := json.NewEncoder(out)
	p := newPeer()
	for {
		var asked command
		if err := lines.Decode(&asked); err == io.EOF {
			return nil
		} else if err != nil {
			return fmt.Errorf("a command that is none: %w", err)
		}
		answer, err := p.do(asked)
		if err != nil {
			answer = map[string]string{"error": err.Error()}
		}
		if err := answers.Encode(answer); err != nil {
			return err
		}
	}
}
