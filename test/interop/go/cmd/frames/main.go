// Command frames makes random frames of EIPC v1, and says what frames mean to Go (test/interop/go-frames.test.ts). Frames in files and pipes
// have their length in front, as on a stream.
//
//	frames make -seed N -count N -key HEX -values FILE   frames to standard output, what was put into them to FILE
//	frames judge -key HEX                                frames from standard input, what they mean to standard output
//	frames differences                                   the names of package differences
package main

import (
	"bufio"
	"encoding/hex"
	"flag"
	"fmt"
	"os"

	"eipc-interop/differences"
	"eipc-interop/independent"
	"eipc-interop/v1"
)

// The one place that says whose code the programs run.
var implementation v1.Implementation = independent.Implementation

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) == 0 {
		return fmt.Errorf("usage: frames make|judge|differences [options]")
	}
	flags := flag.NewFlagSet(arguments[0], flag.ContinueOnError)
	seed := flags.Int64("seed", 1, "decides everything that is random")
	count := flags.Int("count", 0, "how many frames")
	keyText := flags.String("key", "", "the key, as hexadecimal digits")
	values := flags.String("values", "", "file for what was put into the frames, a line of JSON each")
	if err := flags.Parse(arguments[1:]); err != nil {
		return err
	}
	key, err := hex.DecodeString(*keyText)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(os.Stdout, 1<<16)
	switch arguments[0] {
	case "make":
		file, err := os.Create(*values)
		if err != nil {
			return err
		}
		lines := bufio.NewWriter(file)
		if err := makeFrames(*seed, *count, key, out, lines); err != nil {
			return err
		}
		if err := lines.Flush(); err != nil {
			return err
		}
		if err := file.Close(); err != nil {
			return err
		}
	case "judge":
		if err := judge(key, bufio.NewReaderSize(os.Stdin, 1<<16), out); err != nil {
			return err
		}
	case "differences":
		for _, name := range differences.All {
			fmt.Fprintln(out, name)
		}
	default:
		return fmt.Errorf("no command %q: make, judge or differences", arguments[0])
	}
	return out.Flush()
}
