package independent

import (
	"fmt"

	"eipc-interop/v1"
)

// window is the distance to the largest number at which one is still taken: 129 numbers in all, one more than the window's name says.
const window = 128

type replay struct {
	max  uint64
	seen map[uint64]bool
}

func (implementation) NewReplay() v1.Replay { return &replay{seen: map[uint64]bool{}} }

func (r *replay) Check(sequence uint64) error {
	if r.seen[sequence] || (sequence < r.max && r.max-sequence > window) {
		return fmt.Errorf("sequence %d is a replay, the largest was %d", sequence, r.max)
	}
	r.seen[sequence] = true
	if sequence > r.max {
		r.max = sequence
		for old := range r.seen {
			if r.max-old > window {
				delete(r.seen, old)
			}
		}
	}
	return nil
}
