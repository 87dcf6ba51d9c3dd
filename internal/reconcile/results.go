package reconcile

// ResultStore keeps what Index, Match, Compare and Close leave.
type ResultStore interface{}
