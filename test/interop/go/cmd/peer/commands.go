package main

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"syscall"
	"time"

	"eipc-interop/session"
	"eipc-interop/v1"
)

// deadline is for a peer that says nothing, never a measurement.
const deadline = 10 * time.Second

// command is what a line asks for. Each command uses the fields it needs.
type command struct {
	Do           string   `json:"do"`
	Address      string   `json:"address"`
	Listener     int      `json:"listener"`
	Connection   int      `json:"connection"`
	Key          []byte   `json:"key"`
	ID           string   `json:"id"`
	AllAck       bool     `json:"allAck"`
	Capabilities []string `json:"capabilities"`
	Frame        *sending `json:"frame"`
	Bytes        []byte   `json:"bytes"`
	Sequences    []uint64 `json:"sequences"`
}

type peer struct {
	listeners   []v1.Listener
	connections []*connection
}

// connection reads ahead, so that a command that waits for a frame can give up.
type connection struct {
	*session.Session
	frames <-chan received
}

type received struct {
	bytes []byte
	err   error
}

func newPeer() *peer { return &peer{} }

func (p *peer) do(c command) (interface{}, error) {
	switch c.Do {
	case "about":
		return map[string]string{"name": implementation.Name(), "go": runtime.Version()}, nil
	case "replay":
		return map[string][]bool{"accepted": accepted(c.Sequences)}, nil
	case "listen":
		network, address := split(c.Address)
		listener, err := implementation.Listen(network, address)
		if err != nil {
			return nil, err
		}
		p.listeners = append(p.listeners, listener)
		return map[string]interface{}{"listener": len(p.listeners), "address": join(network, listener.Address())}, nil
	case "dial":
		transport, err := implementation.Dial(split(c.Address))
		if err != nil {
			return nil, err
		}
		return p.add(transport, c, false), nil
	case "accept", "unlisten":
		if c.Listener < 1 || c.Listener > len(p.listeners) {
			return nil, fmt.Errorf("no listener %d", c.Listener)
		}
		listener := p.listeners[c.Listener-1]
		if c.Do == "unlisten" {
			return struct{}{}, listener.Close()
		}
		transport, err := listener.Accept()
		if err != nil {
			return nil, err
		}
		return p.add(transport, c, true), nil
	}
	if c.Connection < 1 || c.Connection > len(p.connections) {
		return nil, fmt.Errorf("%q needs a connection, and %d is none", c.Do, c.Connection)
	}
	return p.connections[c.Connection-1].do(c)
}

func (p *peer) add(transport v1.Transport, c command, isServer bool) interface{} {
	frames := make(chan received, 1024)
	reading := &readAhead{transport, frames}
	p.connections = append(p.connections, &connection{session.New(implementation, reading, c.Key, c.ID, isServer), frames})
	go reading.run()
	return map[string]int{"connection": len(p.connections)}
}

func (c *connection) do(asked command) (interface{}, error) {
	types := session.Typed
	if asked.AllAck {
		types = session.AllAck
	}
	switch asked.Do {
	case "logIn":
		capabilities, err := c.LogIn(types)
		return map[string]interface{}{"token": c.Token, "capabilities": capabilities}, err
	case "letIn":
		id, err := c.LetIn(types, asked.Capabilities)
		return map[string]string{"token": c.Token, "id": id}, err
	case "send":
		if asked.Frame == nil {
			return nil, errors.New("send needs a frame")
		}
		bytes, err := c.build(*asked.Frame)
		if err != nil {
			return nil, err
		}
		return map[string][]byte{"bytes": bytes}, c.Transport.SendRaw(bytes)
	case "sendRaw":
		return struct{}{}, c.Transport.SendRaw(asked.Bytes)
	case "receive":
		return c.receive()
	case "close":
		return struct{}{}, c.Transport.Close()
	}
	return nil, fmt.Errorf("no command %q", asked.Do)
}

// receive returns the next frame, or that the stream has ended.
func (c *connection) receive() (interface{}, error) {
	bytes, err := c.Transport.Receive()
	if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
		return map[string]bool{"ended": true}, nil
	}
	if err != nil {
		return nil, err
	}
	frame, err := c.Read(bytes)
	if err != nil {
		return nil, err
	}
	return map[string]interface{}{
		"type": string([]byte{frame.Type}), "flags": frame.Flags, "header": frame.Header, "payload": frame.Payload, "bytes": bytes,
	}, nil
}

// readAhead is a transport that somebody else reads from.
type readAhead struct {
	v1.Transport
	frames chan received
}

func (r *readAhead) run() {
	for {
		bytes, err := r.Transport.Receive()
		r.frames <- received{bytes, err}
		if err != nil {
			close(r.frames)
			return
		}
	}
}

func (r *readAhead) Receive() ([]byte, error) {
	select {
	case next, isOpen := <-r.frames:
		if !isOpen {
			return nil, io.EOF
		}
		return next.bytes, next.err
	case <-time.After(deadline):
		return nil, fmt.Errorf("nothing came for %v", deadline)
	}
}

// accepted tells of each number whether the implementation's tracker takes it.
func accepted(sequences []uint64) []bool {
	tracker := implementation.NewReplay()
	verdicts := make([]bool, 0, len(sequences))
	for _, sequence := range sequences {
		verdicts = append(verdicts, tracker.Check(sequence) == nil)
	}
	return verdicts
}

// split takes an address of EIPC apart: unix:/path or tcp://host:port.
func split(address string) (string, string) {
	if path := strings.TrimPrefix(address, "unix:"); path != address {
		return "unix", path
	}
	return "tcp", strings.TrimPrefix(address, "tcp://")
}

func join(network, address string) string {
	if network == "unix" {
		return "unix:" + address
	}
	return "tcp://" + address
}
