package independent

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"

	"eipc-interop/v1"
)

// stream is a TCP connection or Unix socket with a length in front of every frame.
type stream struct {
	connection net.Conn
	reader     *bufio.Reader
}

func newStream(connection net.Conn) *stream {
	return &stream{connection, bufio.NewReader(connection)}
}

func (implementation) Dial(network, address string) (v1.Transport, error) {
	connection, err := net.Dial(network, address)
	if err != nil {
		return nil, err
	}
	return newStream(connection), nil
}

func (s *stream) Send(frame []byte) error {
	return s.SendRaw(append(binary.BigEndian.AppendUint32(nil, uint32(len(frame))), frame...))
}

func (s *stream) SendRaw(bytes []byte) error {
	_, err := s.connection.Write(bytes)
	return err
}

func (s *stream) Receive() ([]byte, error) {
	var prefix [4]byte
	if _, err := io.ReadFull(s.reader, prefix[:]); err != nil {
		return nil, err
	}
	length := binary.BigEndian.Uint32(prefix[:])
	if length > maxFrameSize {
		return nil, fmt.Errorf("a frame of %d bytes is above %d", length, maxFrameSize)
	}
	frame := make([]byte, length)
	if _, err := io.ReadFull(s.reader, frame); err != nil {
		// An end behind the length is none between two frames.
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return frame, nil
}

func (s *stream) Close() error { return s.connection.Close() }

type listener struct{ net.Listener }

func (implementation) Listen(network, address string) (v1.Listener, error) {
	bound, err := net.Listen(network, address)
	if err != nil {
		return nil, err
	}
	return listener{bound}, nil
}

func (l listener) Accept() (v1.Transport, error) {
	connection, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return newStream(connection), nil
}

func (l listener) Address() string { return l.Addr().String() }
