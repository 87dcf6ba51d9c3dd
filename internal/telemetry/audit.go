package telemetry

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"time"

	"poolferry/internal/userpool"
)

// auditLine is one line of the audit trail.
type auditLine struct {
	Audit         string             `json:"audit"` // "decision": what finds these lines among the logs
	Time          time.Time          `json:"time"`
	Run           string             `json:"run"`
	TriggerSource string             `json:"trigger_source"`
	Outcome       string             `json:"outcome"`
	Reason        string             `json:"reason,omitempty"`
	SourceSub     string             `json:"source_sub,omitempty"`
	NameHash      string             `json:"name_hash,omitempty"`
	ClientID      string             `json:"client_id,omitempty"`
	RequestID     string             `json:"request_id,omitempty"`
	TotalMS       float64            `json:"total_ms"`
	StepMS        map[string]float64 `json:"step_ms,omitempty"`
	Dropped       []string           `json:"dropped,omitempty"` // names of attributes
	Code          string             `json:"code,omitempty"`
}

// nameHashBytes is how much of the hash is kept: 128 bits, as good as unique.
const nameHashBytes = 16

// NameHash is what stands for a name in the audit trail: HMAC-SHA256 of the
// name exactly as it was typed, cut to 128 bits, in hexadecimal. Without a key
// it is empty, for a plain hash of a name can be guessed.
func NameHash(key userpool.Secret, name string) string {
	if key.Empty() || name == "" {
		return ""
	}
	mac := hmac.New(sha256.New, []byte(key.Reveal()))
	mac.Write([]byte(name))
	return hex.EncodeToString(mac.Sum(nil)[:nameHashBytes])
}

// unrecognised stands for text that does not have the form of a code word.
const unrecognised = "unrecognised"

// word is a code word: an error code, a reason, a client id, an attribute name,
// a sub. No e-mail address and no phone number has this form.
var word = regexp.MustCompile(`^[A-Za-z0-9_.:-]{1,128}$`)

// codeWord returns text if it is a code word or empty. The events of a trigger
// are input like any other: a member that should hold an id may hold a name.
func codeWord(text string) string {
	if text == "" || word.MatchString(text) {
		return text
	}
	return unrecognised
}

func codeWords(texts []string) []string {
	words := make([]string, len(texts))
	for i, text := range texts {
		words[i] = codeWord(text)
	}
	return words
}
