package preflight

import (
	"poolferry/internal/fault"
	"poolferry/internal/manifest"
	"poolferry/internal/preflight/staged"
	"poolferry/internal/preflight/trial"
	"poolferry/internal/userpool"
)

// Where the trigger reads attributes, as package trigger says it.
const (
	FromLookup  = "lookup"
	FromIDToken = "id_token"
)

// Settings are what the configuration says.
type Settings struct {
	Run           string
	Source        manifest.Pool
	Target        manifest.Pool // its account is not configured
	ClientID      string        // at the source
	ClientSecret  bool          // there is one configured
	LoginRole     string        // ARN
	ExportRole    string        // ARN; empty for none
	Profile       string        // FromLookup or FromIDToken
	SMSMFA        bool
	MFAVerify     bool // the trigger answers second factors at the source
	Mapping       userpool.Mapping
	StagingBucket string
	Paces         []Pace
	QuotaRaised   bool
	Hooks         []Hook
	UnsureAllows  bool // the guard lets people register while it cannot look names up
	GroupRoles    []userpool.GroupRole
	ImportLogRole string // ARN; empty for none
}

// Hook is a function that a run has for a trigger of the target pool beside the
// migration trigger.
type Hook struct {
	Trigger string   // such as PreSignUp
	Names   []string // that the function may have
}

// The triggers of a pool that functions of a run are for, as LambdaConfig names
// them.
const (
	UserMigration      = "UserMigration"
	PreSignUp          = "PreSignUp"
	PostAuthentication = "PostAuthentication"
	PreTokenGeneration = "PreTokenGeneration"
)

// Pace is how many requests per second the run may send in a category of requests
// as Cognito counts them.
type Pace struct {
	Category  string // such as UserList
	Line      string // its name in the configuration
	PerSecond float64
	AtSource  bool // the source's account has the quota
}

// Facts are what was read. A nil part was not.
type Facts struct {
	Settings
	Account  string // of the credentials, which is the target's
	Refusals []Refusal

	SourcePool   *Pool
	SourceClient *Client
	TargetPool   *Pool
	Factors      *Factors
	Clients      []Client // of the target
	Function     *Function
	Attached     map[string]*Function // those of Settings.Hooks that the target pool names, by trigger
	Reconciled   *bool                // there is what the guard looks names up in
	Trial        *trial.Answer
	TrialFailed  bool // the function gave no answer
	Bucket       *Bucket
	Quotas       map[string]float64 // of the target's account, by category
	Strangers    *Strangers
	RunPlan      error // why the run's plan is not for this configuration
	Staged       *staged.Result
	StagedError  error // why what is staged cannot be read
}

// Who may not read something.
const (
	AsExport = "export role"
	AsOwn    = "your credentials"
)

// Refusal is an action that did not go.
type Refusal struct {
	As     string
	Action string // such as cognito-idp:ListUsers
	About  string
	Kind   fault.Kind
	Code   string // what AWS said
}

// Pool is what DescribeUserPool tells.
type Pool struct {
	userpool.Pool
	Users            int // as the pool estimates it
	Plan             string
	ThreatProtection string // OFF, AUDIT or ENFORCED
	SelfSignUp       bool
	CognitoSendsMail bool
	Password         PasswordRules
	AutoVerified     []string          // attributes that the pool verifies by itself
	MigrationTrigger string            // ARN; empty for none
	Triggers         map[string]string // ARN by name, all of them
}

// PasswordRules are a password policy.
type PasswordRules struct {
	MinimumLength                                   int
	Uppercase, Lowercase, Numbers, Symbols, History bool
}

// Factors are the second factors that a pool asks for.
type Factors struct {
	SMS, TOTP, Email bool
}

// Client is an app client.
type Client struct {
	ID         string
	Name       string
	Flows      []string
	HidesUsers bool
	Secret     bool // it has one
	Reads      []string
	Writes     []string // without a list of its own: none but standard ones
	Managed    bool     // people sign in through managed login
}

// Function is a function that the target pool calls.
type Function struct {
	ARN          string
	Gone         bool
	Policy       string // resource policy; empty for none
	PolicyUnread bool
	Deployment
}

// Deployment is how the configuration that a function was deployed with compares
// with this one.
type Deployment struct {
	Ours bool // deployed for this run and these pools
	// Differs are the sections in which they differ and by which the function goes;
	// of a function that is not the run's, all in which they differ. Others are
	// those by which other functions go that are deployed with it.
	Differs, Others []string
	ImportLogRole   string // ARN; empty for none
}

// Bucket is how the staging bucket is set.
type Bucket struct {
	Missing, Foreign, Elsewhere bool
	Policy                      string
	PolicyUnread                bool
	PublicBlocked               bool
	KMS                         bool
	Versioned                   bool
	Expires                     bool // what is of the run
}

// Usable reports whether a run can keep anything in the bucket.
func (b Bucket) Usable() bool { return !b.Missing && !b.Foreign && !b.Elsewhere }

// Strangers are target users who belong to the source and whom the trigger has
// not made.
type Strangers struct {
	Reconciled bool // counted by a reconciliation; otherwise found in a sample
	Looked     int  // users of the sample who were looked up at the source
	Users      int
	Subs       []userpool.Sub // at the target
}
