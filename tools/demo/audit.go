package demo

import (
	"bytes"
	"encoding/json"
	"sync"
)

// auditTrail listens to what the migration function writes and remembers the
// decisions, by the hash that stands for the name in the trail. Only the trail
// tells why a person was refused: the person must not be able to learn it.
type auditTrail struct {
	mu        sync.Mutex
	decisions map[string][]string // outcomes by name hash, in order, since the last take
	total     int
}

func newAuditTrail() *auditTrail { return &auditTrail{decisions: make(map[string][]string)} }

// Write takes one or more whole lines, as package telemetry writes them.
func (a *auditTrail) Write(lines []byte) (int, error) {
	for line := range bytes.Lines(lines) {
		var decision struct {
			Audit    string `json:"audit"`
			Outcome  string `json:"outcome"`
			NameHash string `json:"name_hash"`
		}
		if json.Unmarshal(line, &decision) != nil || decision.Audit != "decision" {
			continue // a metric line or a log line
		}
		a.mu.Lock()
		a.decisions[decision.NameHash] = append(a.decisions[decision.NameHash], decision.Outcome)
		a.total++
		a.mu.Unlock()
	}
	return len(lines), nil
}

// take returns the outcomes for a name since the last take: none where the
// trigger was not asked, several where Cognito asked again.
func (a *auditTrail) take(nameHash string) []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	outcomes := a.decisions[nameHash]
	delete(a.decisions, nameHash)
	return outcomes
}

// count returns the number of decisions so far.
func (a *auditTrail) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.total
}
