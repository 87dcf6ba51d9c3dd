package manifest

import (
	"errors"
	"time"

	"poolferry/internal/document"
)

// Stop is the switch that ends a run's chain of executions: while it is there,
// no execution reads another page. It is written and deleted by operators.
type Stop struct {
	Version V1        `json:"version"`
	Run     string    `json:"run"`
	Stopped time.Time `json:"stopped"`
	// StoppedBy is who did it, such as the ARN of a user.
	StoppedBy string `json:"stopped_by,omitempty"`
}

// Encode returns the bytes of the document.
func (s Stop) Encode() ([]byte, error) { return encode(s) }

// DecodeStop reads a stop switch.
func DecodeStop(data []byte) (s Stop, err error) {
	err = decode(data, &s)
	return s, err
}

func (Stop) kind() string { return "stop switch" }

func (s Stop) check() error {
	return errors.Join(checkRun(s.Run), document.CheckTime("stopped", s.Stopped))
}
