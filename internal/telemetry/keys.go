package telemetry

// Keys of log attributes, the same in every function, so that one query finds
// all there is about a run, a shard or a user. A user is logged by KeySub, never
// by name or e-mail.
const (
	KeyRun       = "run"
	KeyPool      = "pool"
	KeySub       = "sub"
	KeyShard     = "shard"
	KeyPart      = "part"
	KeyStep      = "step"  // of a reconciliation
	KeyPiece     = "piece" // of a step
	KeyPhase     = "phase"
	KeyOperation = "operation"
	KeyOutcome   = "outcome"
	KeyKind      = "kind" // of an error, as in package fault
	KeyError     = "error"
	KeyCode      = "code" // of AWS
	KeyCount     = "count"
	KeyTook      = "took_ms"
	KeyRequestID = "request_id"
	KeyThrottled = "throttled" // requests that were turned away because of their rate
	KeyMFALost   = "mfa_lost"  // users whose second factor could not be carried

	KeyReconciliation = "reconciliation" // id
	KeyFile           = "file"           // number, of an import
)
