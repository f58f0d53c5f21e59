package session

import (
	"crypto/hmac"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// Types are the types of the four frames of a login.
type Types struct{ Claim, Challenge, Response, Result byte }

var (
	// Typed is how the original logs in.
	Typed = Types{'A', 'H', 'R', 'R'}
	// AllAck is how an older client did.
	AllAck = Types{'a', 'a', 'a', 'a'}
)

type claim struct {
	ServiceID string `json:"service_id"`
}

type challenge struct {
	Status string `json:"status"`
	Nonce  string `json:"nonce"`
}

type response struct {
	ServiceID string `json:"service_id"`
	Response  string `json:"response"`
}

type result struct {
	Status       string   `json:"status"`
	Error        string   `json:"error,omitempty"`
	SessionToken string   `json:"session_token,omitempty"`
	Capabilities []string `json:"capabilities,omitempty"`
}

// Denied is the answer of a server that does not want this client.
type Denied struct{ Text string }

func (d Denied) Error() string { return "denied: " + d.Text }

// LogIn proves to a server who this is. It returns the capabilities that the server grants.
func (s *Session) LogIn(types Types) ([]string, error) {
	if err := s.sendJSON(types.Claim, claim{s.ID}); err != nil {
		return nil, err
	}
	var asked challenge
	if err := s.receiveJSON(types.Challenge, types.Result, &asked); err != nil {
		return nil, err
	}
	nonce, err := hex.DecodeString(asked.Nonce)
	if err != nil || asked.Status != "challenge" {
		return nil, fmt.Errorf("no challenge: %+v", asked)
	}
	answer := hex.EncodeToString(s.Implementation.Answer(s.Key, nonce))
	if err := s.sendJSON(types.Response, response{s.ID, answer}); err != nil {
		return nil, err
	}
	var granted result
	if err := s.receiveJSON(types.Result, types.Result, &granted); err != nil {
		return nil, err
	}
	if granted.Status != "ok" || granted.SessionToken == "" {
		return nil, fmt.Errorf("no session: %+v", granted)
	}
	s.Token = granted.SessionToken
	return granted.Capabilities, nil
}

// LetIn has a client prove who it is. It returns the client's id.
func (s *Session) LetIn(types Types, capabilities []string) (string, error) {
	var claimed claim
	if err := s.receiveJSON(types.Claim, types.Claim, &claimed); err != nil {
		return "", err
	}
	var nonce, token [32]byte
	for _, bytes := range [][]byte{nonce[:], token[:]} {
		if _, err := rand.Read(bytes); err != nil {
			return "", err
		}
	}
	if err := s.sendJSON(types.Challenge, challenge{"challenge", hex.EncodeToString(nonce[:])}); err != nil {
		return "", err
	}
	var answered response
	if err := s.receiveJSON(types.Response, types.Response, &answered); err != nil {
		return "", err
	}
	answer := hex.EncodeToString(s.Implementation.Answer(s.Key, nonce[:]))
	if answered.ServiceID != claimed.ServiceID || !hmac.Equal([]byte(answered.Response), []byte(answer)) {
		err := Denied{"authentication failed"}
		_ = s.sendJSON(types.Result, result{Status: "denied", Error: err.Text})
		return "", err
	}
	granted := result{Status: "ok", SessionToken: hex.EncodeToString(token[:]), Capabilities: capabilities}
	if err := s.sendJSON(types.Result, granted); err != nil {
		return "", err
	}
	s.Token = granted.SessionToken
	return claimed.ServiceID, nil
}

func (s *Session) sendJSON(kind byte, payload interface{}) error {
	text, err := json.Marshal(payload)
	if err != nil {
		return err
	}
	return s.Send(s.Next(kind, text))
}

// receiveJSON reads the payload of a frame of one of two types: what was asked for, or where it is the one of results, a denial.
func (s *Session) receiveJSON(kind, resultKind byte, into interface{}) error {
	frame, err := s.Receive()
	if err != nil {
		return err
	}
	var end result
	if frame.Type == resultKind && json.Unmarshal(frame.Payload, &end) == nil && end.Status == "denied" {
		return Denied{end.Error}
	}
	if frame.Type != kind {
		return fmt.Errorf("a frame of type %q instead of %q", frame.Type, kind)
	}
	return json.Unmarshal(frame.Payload, into)
}
